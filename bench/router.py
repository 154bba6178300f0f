"""LiteLLM's Router in a process of its own, so that what it loads and does in the background is no part of other figures.

`python -m bench.router URL DEPLOYMENTS COOLING` prints how many deployments the Router remembers to be cooling, then answers each
line `CALLS` with a line of JSON: the seconds of so many requests.
"""

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec

_LIMIT = 1 << 24
"""Bytes of a line."""
_DAY = 86_400.0
_ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION"}
"""Without these an import asks the network for prices, and reads a .env."""


def is_installed() -> bool:
    """Whether the extra `bench-litellm` is there."""
    return find_spec("litellm") is not None


@dataclass(frozen=True, slots=True)
class Router:
    """A Router that was started. `ask` makes so many requests and tells the seconds of each; `cooling` deployments are out."""

    ask: Callable[[int], Awaitable[list[float]]]
    cooling: int


@asynccontextmanager
async def router_process(base_url: str, deployments: int, cooling: int) -> AsyncIterator[Router]:
    """Start one; `cooling` is how many deployments it is told to be out."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.router",
        base_url,
        str(deployments),
        str(cooling),
        env={**os.environ, **_ENVIRONMENT},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LIMIT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    requests, answers = process.stdin, process.stdout

    async def ask(calls: int) -> list[float]:
        requests.write(f"{calls}\n".encode())
        taken: list[float] = json.loads(await answers.readline())
        return taken

    try:
        yield Router(ask, int(await answers.readline()))
    finally:
        requests.close()
        await process.wait()


async def _serve(base_url: str, deployments: int, cooling: int) -> None:
    import litellm
    from litellm.router_utils.cooldown_handlers import async_get_cooldown_deployments

    # It keeps 200 clients, one for a key, and says of each that is dropped that nobody has closed it.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    router = litellm.Router(
        model_list=[
            {
                "model_name": "model-0",
                "litellm_params": {"model": "openai/model-0", "api_base": base_url, "api_key": f"sk-bench-{n:06d}"},
                "model_info": {"id": f"d{n}"},
            }
            for n in range(deployments)
        ]
    )
    for n in range(cooling):
        router.cooldown_cache.add_deployment_to_cooldown(f"d{n}", RuntimeError("429"), 429, _DAY)
    print(len(await async_get_cooldown_deployments(router, None)), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await _requests(router, int(line))), flush=True)


async def _requests(router: object, calls: int) -> list[float]:
    taken = []
    for _ in range(calls):
        begin = time.perf_counter()
        answer = await router.acompletion(  # type: ignore[attr-defined]
            model="model-0", messages=[{"role": "user", "content": "How are you?"}]
        )
        taken.append(time.perf_counter() - begin)
        assert answer.choices[0].message.content
    return taken


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
