"""`docs/reference/cli.schema.json`: JSON Schemas of everything that `--json` writes, made from the types themselves."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import PurePath
from typing import Any, Final

import msgspec

from paddock.cli.failure import ErrorDocument
from paddock.vocabulary import ModelInfo, ProgressEvent

SCHEMA_FILE: Final = "cli.schema.json"

# Which type each command writes, as module:type below paddock.cli.commands. The first word of an alias is left out.
DOCUMENTS: Final[Mapping[str, str]] = {
    "search": "search:SearchDocument",
    "plan": "plan:PlanDocument",
    "pull --dry-run": "plan:PlanDocument",
    "pulls": "pulls:PullList",
    "pulls pause": "pulls:PullLine",
    "pulls cancel": "pulls:PullLine",
    "list": "models:ModelList",
    "rm": "models:RemovalList",
    "show": "show:ShowDocument",
    "compare": "show:Comparison",
    "verify": "verify:VerifyDocument",
    "chat": "chat:AnswerDocument",
    "chat --list": "chats:ChatPage",
    "chat --show": "chats:Chat",
    "chat --rename": "chats:ChatSummary",
    "chat --delete": "chats:ChatsDeleted",
    "embed": "embed:EmbedDocument",
    "bench": "bench:BenchDocument",
    "trial": "trial:TrialResult",
    "serve": "serve:ServeDocument",
    "serve --stop": "serve:StopDocument",
    "ps": "memory:ModelsStatus",
    "load": "memory:LoadAnswer",
    "unload": "memory:UnloadAnswer",
    "warm": "memory:WarmAnswer",
    "launch": "launch:LaunchDocument",
    "df": "disk:UsageDocument",
    "prune": "disk:PruneDocument",
    "lock": "lock:LockDocument",
    "sync": "lock:SyncDocument",
    "export": "exchange:ExportDocument",
    "import": "exchange:ImportDocument",
    "registry": "registry:RegistryList",
    "registry rm": "registry:RegistryList",
    "registry add": "registry:RegistryEntry",
    "bundle": "bundle:BundleList",
    "bundle make": "bundle:BundleLine",
    "template": "template:TemplateList",
    "template show": "template:TemplateEntry",
    "template save": "template:TemplateEntry",
    "template rm": "template:TemplateEntry",
    "template save --dry-run": "template:RenderedTemplate",
    "template render": "template:RenderedTemplate",
    "route": "route:RuleList",
    "route add": "route:RuleSaved",
    "route edit": "route:RuleSaved",
    "route rm": "route:Rule",
    "route test": "route:RuleSaved",
    "route explain": "route:Explanation",
    "route replay": "route:Replay",
    "route export": "route:RuleFile",
    "route import": "route:RulesImported",
    "profile": "profile:ProfileList",
    "profile show": "profile:Profile",
    "profile add": "profile:Profile",
    "profile edit": "profile:Profile",
    "profile rm": "profile:Profile",
    "provider": "provider:ProviderList",
    "provider add": "provider:ProviderLine",
    "provider edit": "provider:ProviderLine",
    "provider key": "provider:ProviderLine",
    "provider rm": "provider:ProviderLine",
    "provider test": "provider:ProviderTest",
    "key": "key:KeyList",
    "key add": "key:NewKey",
    "key edit": "key:ApiKey",
    "key rotate": "key:NewKey",
    "key revoke": "key:ApiKey",
    "key remove": "key:ApiKey",
    "user": "user:UserList",
    "user add": "user:User",
    "user edit": "user:User",
    "user remove": "user:User",
    "audit": "audit:AuditPage",
    "audit verify": "audit:AuditCheck",
    "audit export": "audit:ExportedRows",
    "vault": "vault:VaultDocument",
    "vault rotate": "vault:Rotated",
    "vault backup": "vault:BackupFile",
    "vault restore": "vault:Restored",
    "config show": "config:SettingList",
    "config get": "config:SettingLine",
    "config set": "config:SettingLine",
    "config unset": "config:SettingLine",
    "config init": "config:ConfigFile",
    "config path": "config:ConfigFile",
    "doctor": "doctor:DoctorDocument",
    "completion": "completion:CompletionDocument",
    "service": "service:ServiceDocument",
    "service install": "service:ServiceDocument",
    "service remove": "service:ServiceDocument",
    "airgap": "airgap:AirgapDocument",
    "version": "version:VersionDocument",
}
_MODELS: Final = ("pull", "pulls resume", "cp", "keep")  # these write a model


def document_types() -> dict[str, type]:
    """The type of each command's document."""
    types: dict[str, type] = dict.fromkeys(_MODELS, ModelInfo)
    for command, place in DOCUMENTS.items():
        module, _, name = place.partition(":")
        types[command] = getattr(import_module(f"paddock.cli.commands.{module}"), name)
    return types


def render_schemas() -> str:
    """One schema with a definition for each type, and a list of which command writes which."""
    commands = document_types()
    wanted = list(dict.fromkeys([*commands.values(), ProgressEvent, ErrorDocument]))
    references, definitions = msgspec.json.schema_components(
        wanted, schema_hook=_plain_schema, ref_template="#/$defs/{name}"
    )
    for definition in definitions.values():
        definition.pop("description", None)  # a docstring is for readers of the source
    by_type = dict(zip(wanted, references, strict=True))
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What `paddock --json` writes",
        "description": "`x-commands` names the definition of each command's document.",
        "x-commands": {command: by_type[kind]["$ref"] for command, kind in sorted(commands.items())},
        "$defs": definitions,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _plain_schema(kind: type) -> dict[str, Any]:
    if issubclass(kind, PurePath):
        return {"type": "string"}
    raise NotImplementedError(f"{kind.__name__} has no JSON form")
