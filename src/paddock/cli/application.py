"""Every command by name. Command modules are imported when their command is called, so `--help` stays fast."""

from dataclasses import dataclass
from typing import Final

from cyclopts import App, Group, Parameter

from paddock.cli.help import CalmFormatter
from paddock.version import VERSION

PROGRAM: Final = "paddock"
_HELP: Final = """\
Keeps AI models on your own machines: finds them, says whether they fit, fetches them safely, serves them.

`paddock COMMAND --help` explains one command. Data goes to stdout, everything else to stderr.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its names, where it is, and its line in `paddock --help`."""

    names: tuple[str, ...]
    place: str  # module:attribute below paddock.cli.commands
    summary: str


# In the order in which people meet them.
COMMANDS: Final[dict[str, tuple[Command, ...]]] = {
    "Find and fetch": (
        Command(("search",), "search:search", "Find models at the hubs, and see which run here."),
        Command(("plan",), "plan:plan", "See what pulling a model would take."),
        Command(("pull",), "pull:pull", "Fetch a model, or go on where it stopped."),
        Command(("pulls",), "pulls:pulls", "List downloads; pause, resume or cancel them."),
    ),
    "Your models": (
        Command(("list", "ls"), "models:list_models", "List the models on this machine."),
        Command(("show",), "show:show", "Show everything that is known about a model."),
        Command(("compare",), "show:compare", "Show models side by side."),
        Command(("cp",), "models:copy", "Give a model a second name."),
        Command(("keep",), "models:keep", "Pin a model, or set how long it stays in memory."),
        Command(("rm", "remove", "delete"), "models:remove", "Remove models from this machine."),
        Command(("verify",), "verify:verify", "Check every byte of a model against its hash."),
    ),
    "Talk": (
        Command(("run",), "run:run", "Ask a model once."),
        Command(("chat",), "chat:chat", "Talk with a model; what was said is kept."),
        Command(("embed",), "embed:embed", "Make vectors of texts, to compare their meaning."),
        Command(("bench",), "bench:bench", "Measure how fast a model is on this machine."),
        Command(("trial",), "trial:trial", "Find out what a model really can."),
    ),
    "Serve": (
        Command(("serve",), "serve:serve", "Answer over HTTP, or end the server that does."),
        Command(("ps",), "memory:show", "List the models in the server's memory."),
        Command(("load",), "memory:load", "Bring a model into the server's memory."),
        Command(("unload", "stop"), "memory:unload", "Take a model out of the server's memory."),
        Command(("warm",), "memory:warm", "Run a model once, so that it then answers quickly."),
        Command(("launch",), "launch:launch", "Start a coding tool with this server's models."),
    ),
    "Route": (
        Command(("route",), "route:route", "Say which model answers to which name."),
        Command(("profile",), "profile:profile", "See and change what `auto` looks for in a model."),
        Command(("provider",), "provider:provider", "List, add and try others that answer."),
    ),
    "Disk": (
        Command(("df",), "disk:usage", "Show what models take on the disk."),
        Command(("prune",), "disk:prune", "Clean up what is not used, once you have seen it."),
    ),
    "Carry and share": (
        Command(("lock",), "lock:lock", "Write the exact models here to `models.lock`."),
        Command(("sync",), "lock:sync", "Make this machine the same as a `models.lock`."),
        Command(("export",), "exchange:export", "Write models, or the registry, to carry along."),
        Command(("import",), "exchange:import_", "Take in what `paddock export` wrote."),
        Command(("registry",), "registry:registry", "List and change models known by a short name."),
        Command(("bundle",), "bundle:bundle", "List and make bundles: models that ship together."),
        Command(("template",), "template:template", "Keep prompt templates, and fill them in."),
    ),
    "Who may do what": (
        Command(("key",), "key:key", "List keys of programs; make, change, revoke them."),
        Command(("user",), "user:user", "List people who may sign in; add, change, remove them."),
        Command(("audit",), "audit:audit", "See who asked what of whom; check and export it."),
        Command(("vault",), "vault:vault", "See how provider keys are kept; rotate, back up."),
    ),
    "Paddock itself": (
        Command(("config",), "config:config", "Show and change settings."),
        Command(("service",), "service:service", "Start the server at sign-in, with systemd or launchd."),
        Command(("airgap",), "airgap:airgap", "See what was kept from leaving this machine."),
        Command(("doctor",), "doctor:doctor", "Check this installation and say what to mend."),
        Command(("completion",), "completion:completion", "Print a completion script for your shell."),
        Command(("version",), "version:version", "Print the version."),
    ),
}


def build_application() -> App:
    """The application, no command of it loaded yet."""
    application = App(
        name=PROGRAM,
        help=_HELP,
        help_format="plaintext",
        help_formatter=CalmFormatter(),
        version=VERSION,
        default_parameter=Parameter(negative=(), show_default=False),
        group_commands=Group("Everywhere", sort_key=len(COMMANDS)),
        group_arguments=Group("Arguments", sort_key=0),
        group_parameters=Group("Options", sort_key=1),
        result_action="return_value",
    )
    for position, (title, commands) in enumerate(COMMANDS.items()):
        group = Group(title, sort_key=position)
        for order, command in enumerate(commands):
            application.command(
                f"paddock.cli.commands.{command.place}",
                name=command.names[0],
                alias=command.names[1:],
                help=command.summary,
                group=group,
                sort_key=order,
            )
    return application


def noun(name: str, summary: str) -> App:
    """A command that has commands of its own."""
    return App(name=name, help=summary, group_commands=Group("Commands", sort_key=0))


def load(application: App, name: str) -> App:
    """The command `name`, imported. Its help becomes its docstring's, of which the summary is the first line."""
    command = application[name]
    if command.default_command is not None:
        command.help = None
    return command


def command_names() -> list[str]:
    """Every name that the first word may be."""
    return [name for commands in COMMANDS.values() for command in commands for name in command.names]
