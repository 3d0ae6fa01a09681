"""HTTP without a library: what a peer sends and reads is bytes on a connection."""

import socket


def address_of(program):
    host, port = program.address.rsplit(":", 1)
    return host, int(port)


def everything(connection):
    """Everything that comes until the other side closes. One `recv` may give the head of an answer alone."""
    data = b""
    try:
        while piece := connection.recv(65_536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def connect(program, timeout=30):
    return socket.create_connection(address_of(program), timeout)
