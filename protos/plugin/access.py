"""Who may call a method: reads backfill/access/v1/access.proto's option, and keeps that file out of the generated code."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import checks

OPTIONS_FILE = "backfill/access/v1/access.proto"
OPTION = "backfill.access.v1.allow"
ROLES = {1: ".gateway", 2: ".service", 3: ".worker", 4: ".operator", 5: ".everybody"}


def is_options(file_name):
    """Whether a file only says things about methods, and has nothing that travels."""
    return file_name == OPTIONS_FILE or file_name.startswith("google/protobuf/")


def without_options(request):
    """Takes the files of options, and the mention of them, out of a request."""
    files = [file for file in request.proto_file if not is_options(file.name)]
    del request.proto_file[:]
    request.proto_file.extend(files)
    generated = [name for name in request.file_to_generate if not is_options(name)]
    del request.file_to_generate[:]
    request.file_to_generate.extend(generated)
    for file in request.proto_file:
        wanted = [name for name in file.dependency if not is_options(name)]
        del file.dependency[:]
        file.dependency.extend(wanted)


class Reader:
    """The roles of methods, by the option as the request itself defines it."""

    def __init__(self, request):
        self.options = None
        pool = descriptor_pool.DescriptorPool()
        for file in request.proto_file:
            if is_options(file.name):
                pool.Add(file)
        try:
            self.option = pool.FindExtensionByName(OPTION)
        except KeyError:
            return
        factory = message_factory.MessageFactory(pool)
        self.options = factory.GetPrototype(pool.FindMessageTypeByName("google.protobuf.MethodOptions"))

    def roles(self, full_name, method):
        """The Swift names of a method's roles. Files that do not import the option have no roles."""
        if self.options is None:
            return []
        options = self.options.FromString(method.options.SerializeToString())
        numbers = list(options.Extensions[self.option].roles)
        if not numbers:
            raise checks.Refused(f"{full_name}: say who may call it, with option ({OPTION}) = {{roles: [...]}}")
        unknown = [number for number in numbers if number not in ROLES]
        if unknown:
            raise checks.Refused(f"{full_name}: role {unknown[0]} means nobody")
        return [ROLES[number] for number in numbers]
