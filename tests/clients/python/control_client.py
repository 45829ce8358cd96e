"""A client generated from control.proto: calls as JSON lines in, answers as JSON lines out.

    {"service": "BrokerControl", "method": "GetStatus", "request": {}, "token": null, "take": 1}

Of a stream the first `take` messages are answered; those of a stream that stays open ("keep": name)
come later, by {"more": name, "take": n}.
"""

import json
import sys

import grpc
from google.protobuf import json_format

sys.path.insert(0, sys.argv[2])
import control_pb2  # noqa: E402
import control_pb2_grpc  # noqa: E402

channel = grpc.insecure_channel(sys.argv[1])
stubs = {
    "BrokerControl": control_pb2_grpc.BrokerControlStub(channel),
    "AssignmentStream": control_pb2_grpc.AssignmentStreamStub(channel),
}
methods = {
    method.name: method
    for service in control_pb2.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
kept = {}


def plain(message):
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def take(stream, count):
    return [plain(next(stream)) for _ in range(count)]


def answer(call):
    if "more" in call:
        return take(kept[call["more"]], call["take"])
    method = methods[call["method"]]
    request = getattr(control_pb2, method.input_type.name)()
    json_format.ParseDict(call.get("request", {}), request)
    token = call.get("token")
    metadata = [("authorization", f"Bearer {token}")] if token else []
    stub = getattr(stubs[method.containing_service.name], method.name)
    if not method.server_streaming:
        return plain(stub(request, metadata=metadata, timeout=60))
    stream = stub(request, metadata=metadata, timeout=120)
    messages = take(stream, call.get("take", 1))
    if "keep" in call:
        kept[call["keep"]] = stream
    else:
        stream.cancel()
    return messages


for line in sys.stdin:
    try:
        result = {"answer": answer(json.loads(line))}
    except grpc.RpcError as error:
        result = {"code": error.code().name, "details": error.details()}
    print(json.dumps(result), flush=True)
