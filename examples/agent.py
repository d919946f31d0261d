"""An agent that solves a task with one tool: Python in a sandbox.

    RAMET_URL=http://127.0.0.1:8080 python3 examples/agent.py

The model is a function from messages to a reply, so that this runs anywhere. ``scripted_model`` is a stand-in that follows a script; put a real one in its place: the tool's description and the shape of messages
are those that chat models with tools use (JSON Schema, ``tool_calls``, messages of role ``tool``).
"""

import json
from typing import Any, Callable, Dict, List

from ramet import Sandbox

Message = Dict[str, Any]

TOOL = {
    "type": "function",
    "function": {
        "name": "python",
        "description": "Runs Python in a sandbox that keeps variables and files between calls. Returns what was printed, the value of the last expression, and errors.",
        "parameters": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "The code to run."},
                "timeout_seconds": {"type": "number", "description": "Wall time; 30 unless said otherwise.", "minimum": 1, "maximum": 300},
            },
            "required": ["code"],
            "additionalProperties": False,
        },
    },
}


def call_tool(sandbox: Sandbox, arguments: str) -> str:
    """What the model reads as the result. Its mistakes are told to it, and end nothing."""
    try:
        given = json.loads(arguments)
        result = sandbox.run(given["code"], timeout_seconds=given.get("timeout_seconds", 30))
    except (ValueError, KeyError) as error:
        return json.dumps({"error": f"The arguments cannot be used: {error!r}"})
    answer = {"stdout": result.stdout[-10_000:], "stderr": result.stderr[-10_000:], "value": result.value, "timed_out": result.timed_out}
    return json.dumps({name: content for name, content in answer.items() if content})


def solve(task: str, model: Callable[[List[Message], List[Dict[str, Any]]], Message], most_turns: int = 10) -> str:
    """Lets the model work until it answers without calling the tool."""
    messages: List[Message] = [{"role": "user", "content": task}]
    with Sandbox(memory_mb=256, timeout_seconds=600) as sandbox:
        for _ in range(most_turns):
            reply = model(messages, [TOOL])
            messages.append(reply)
            if not reply.get("tool_calls"):
                return reply["content"]
            for call in reply["tool_calls"]:
                content = call_tool(sandbox, call["function"]["arguments"])
                print(f"  {call['function']['name']}: {content}")
                messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
    return "The model has not come to an end."


def scripted_model(messages: List[Message], tools: List[Dict[str, Any]]) -> Message:
    """Makes a mistake, sees it, mends it, and answers with what it found."""
    steps = [
        "def is_prime(n):\n    return n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1))\nprimes = [n for n in range(1000) if is_prime(n)]\nprimse[-1]",
        "print(len(primes), 'primes')\nprimes[-1]",
    ]
    results = [json.loads(message["content"]) for message in messages if message["role"] == "tool"]
    if len(results) < len(steps):
        function = {"name": tools[0]["function"]["name"], "arguments": json.dumps({"code": steps[len(results)]})}
        return {"role": "assistant", "content": None, "tool_calls": [{"id": f"call_{len(results)}", "type": "function", "function": function}]}
    assert "NameError" in results[0]["stderr"]
    return {"role": "assistant", "content": f"The largest prime below 1000 is {results[-1]['value']}."}


if __name__ == "__main__":
    print(solve("What is the largest prime below 1000?", scripted_model))
