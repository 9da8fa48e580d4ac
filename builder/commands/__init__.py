"""The commands of `builder`, one file a verb: arguments in, work by the pipeline, results on stdout as tables or as one JSON document."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from builder.commands.cache import cache
from builder.commands.check import check
from builder.commands.compress import compress
from builder.commands.convert import convert
from builder.commands.doctor import doctor
from builder.commands.evaluate import evaluate
from builder.commands.export import export
from builder.commands.init import init
from builder.commands.inspect import inspect
from builder.commands.package import package
from builder.commands.plan import plan
from builder.commands.run import run
from builder.commands.search import search
from builder.commands.studio import studio
from builder.commands.train import train
from builder.commands.verify import verify

COMMANDS: dict[str, Callable[[Namespace], None]] = {
    "doctor": doctor,
    "inspect": inspect,
    "plan": plan,
    "search": search,
    "train": train,
    "compress": compress,
    "convert": convert,
    "export": export,
    "evaluate": evaluate,
    "verify": verify,
    "package": package,
    "cache": cache,
    "check": check,
    "init": init,
    "run": run,
    "studio": studio,
}
