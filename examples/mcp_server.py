#!/usr/bin/env python3
"""A small MCP server (Model Context Protocol) over stdio: three tools, no dependencies.

	wsgate --port=8080 --framing=jsonl ./mcp_server.py

MCP over stdio is one JSON-RPC message a line; with framing = jsonl each is one WebSocket message, and one that is
not a JSON value on a single line never gets here. Each connection has a server of its own.
"""

import datetime
import json
import random
import signal
import sys
import unicodedata

VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602


def roll(dice=2, sides=6):
    """Rolls dice and tells each of them, and their sum."""
    if not (1 <= dice <= 100 and 2 <= sides <= 1000):
        raise ValueError("1 to 100 dice with 2 to 1000 sides, please")
    rolls = [random.randint(1, sides) for _ in range(dice)]
    return f"{' + '.join(map(str, rolls))} = {sum(rolls)}"


def count(number, thing):
    return f"{number} {thing}{'' if number == 1 else 's'}"


def measure(text):
    """Counts the lines, words, characters and UTF-8 bytes of a text."""
    seen = sum(not unicodedata.combining(c) for c in text)
    return ", ".join((count(len(text.splitlines()), "line"), count(len(text.split()), "word"),
                      count(seen, "character"), count(len(text.encode()), "byte")))


def days_until(date):
    """Tells how many days there are from today to a date."""
    days = (datetime.date.fromisoformat(date) - datetime.date.today()).days
    return f"{date} is today" if days == 0 else f"{count(abs(days), 'day')} {'to go' if days > 0 else 'ago'}"


def schema(required=(), **properties):
    return {"type": "object", "properties": properties, "required": list(required)}


TOOLS = {
    "roll": (roll, schema(
        dice={"type": "integer", "description": "How many", "minimum": 1, "maximum": 100, "default": 2},
        sides={"type": "integer", "description": "Sides of each", "minimum": 2, "maximum": 1000, "default": 6})),
    "measure": (measure, schema(["text"], text={"type": "string", "description": "Any text"})),
    "days_until": (days_until, schema(["date"], date={"type": "string", "format": "date", "description": "Year-month-day"})),
}


class Refusal(Exception):
    """What the client is told as a JSON-RPC error."""

    def __init__(self, code, words):
        super().__init__(words)
        self.code = code


def initialize(params):
    asked = params.get("protocolVersion")
    return {
        "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "wsgate-example", "version": "1.0"},
        "instructions": "Three tools without side effects.",
    }


def list_tools(_params):
    return {"tools": [{"name": name, "description": tool.__doc__, "inputSchema": inputs}
                      for name, (tool, inputs) in TOOLS.items()]}


def call_tool(params):
    if params.get("name") not in TOOLS:
        raise Refusal(INVALID_PARAMS, f"there is no tool {params.get('name')!r}")
    tool, _inputs = TOOLS[params["name"]]
    # A tool that fails is a result that says so: a model can read it and try again.
    try:
        text, failed = tool(**params.get("arguments", {})), False
    except (TypeError, ValueError) as fault:
        text, failed = str(fault), True
    return {"content": [{"type": "text", "text": text}], "isError": failed}


METHODS = {
    "initialize": initialize,
    "ping": lambda params: {},
    "tools/list": list_tools,
    "tools/call": call_tool,
}


def answer(line):
    """The response to a request, or None to a notification."""
    try:
        request = json.loads(line)
    except ValueError:
        return {"id": None, "error": {"code": PARSE_ERROR, "message": "not JSON"}}
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        return {"id": None, "error": {"code": INVALID_REQUEST, "message": "not a JSON-RPC request"}}
    if "id" not in request:
        return None
    method = METHODS.get(request["method"])
    try:
        if method is None:
            raise Refusal(METHOD_NOT_FOUND, f"there is no method {request['method']!r}")
        return {"id": request["id"], "result": method(request.get("params") or {})}
    except Refusal as refusal:
        return {"id": request["id"], "error": {"code": refusal.code, "message": str(refusal)}}


def main():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for line in sys.stdin:
        response = answer(line)
        if response is not None:
            print(json.dumps({"jsonrpc": "2.0", **response}, ensure_ascii=False), flush=True)


main()
