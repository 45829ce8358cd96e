"""The JSON-lines loop of the Python agents. See ../agent.ts for the protocol."""

import base64
import json
import os
import sys
import threading
import time
import traceback

BOOTSTRAP = sys.argv[-1]

_out = threading.Lock()


def to_bytes(value):
    return None if value is None else base64.b64decode(value)


def to_text(value):
    return None if value is None else base64.b64encode(value).decode()


def serve(client, version, commands, features, describe_error):
    """Serves commands, each in a thread of its own, until standard input ends."""
    _send({"ready": {"client": client, "version": version, "can": [*commands, *features]}})
    for line in sys.stdin:
        threading.Thread(
            target=_answer, args=(json.loads(line), commands, describe_error), daemon=True
        ).start()
    sys.stdout.flush()
    os._exit(0)


def _answer(request, commands, describe_error):
    try:
        result = commands[request["cmd"]](**request["args"])
        _send({"id": request["id"], "ok": result})
    except BaseException as error:  # every failure is an answer
        traceback.print_exc()
        code, name = describe_error(error)
        message = {"code": code, "name": name, "message": str(error)}
        _send({"id": request["id"], "error": message})


def _send(message):
    line = json.dumps(message)
    with _out:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class Member:
    """A group member polled by a thread; `poll(member)` takes what has come."""

    def __init__(self, topic, consumer, poll, close):
        self.topic = topic
        self.consumer = consumer
        self.assignment = []
        self.records = []
        self.positions = {}
        self.calls = []
        self.lock = threading.Lock()
        self._poll = poll
        self._close = close
        self._open = True
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def _run(self):
        while self._open:
            try:
                self._poll(self)
            except Exception:
                traceback.print_exc()
                time.sleep(0.1)
            with self.lock:
                calls, self.calls = self.calls, []
            for call in calls:
                call()

    def on_thread(self, function):
        """Runs it between two polls: these consumers belong to one thread."""
        done = threading.Event()
        result = {}

        def call():
            try:
                result["value"] = function()
            except Exception as error:
                result["error"] = error
            done.set()

        with self.lock:
            self.calls.append(call)
        if not done.wait(30):
            raise TimeoutError("the polling thread is stuck")
        if "error" in result:
            raise result["error"]
        return result["value"]

    def take(self, records):
        with self.lock:
            for record in records:
                self.records.append(record)
                self.positions[record["p"]] = record["o"] + 1

    def state(self):
        with self.lock:
            records, self.records = self.records, []
            return {"assignment": list(self.assignment), "records": records}

    def close(self):
        self._open = False
        self._thread.join(20)
        self._close(self)
