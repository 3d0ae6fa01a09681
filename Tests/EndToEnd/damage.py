"""What a broken disk does to bytes that were synced long ago."""


def flip(path, offset, bit=3):
    """Turns one bit over; done twice, the file is as before."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))
