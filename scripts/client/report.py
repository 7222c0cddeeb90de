"""What `laar check` prints, and the parts of a check that ask the file system and the servers."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import psutil

from scripts.client.check import CheckTable, ConfigFileError, check_config, read_config_file, remote_models
from scripts.client.servers import server_findings
from scripts.tables import Column, print_json, print_table
from serve_app.config import AppConfig, remote_plans
from serve_app.faults import Finding


def check_file(path: Path, environ: Mapping[str, str], *, asks_servers: bool) -> CheckTable:
    """Everything that can be said of the config in a file."""
    try:
        config = read_config_file(path)
    except ConfigFileError as error:
        return CheckTable(listens=None, profile=None, log=None, findings=error.findings)
    table = check_config(config, environ)
    if not table.is_sound:
        return table
    found = [*table.findings, *_machine(table, psutil.cpu_count() or 1)]
    if asks_servers:
        keys = {plan.name: plan.api_key for plan in remote_plans(AppConfig.model_validate(config.args).models, environ)}
        found += server_findings(remote_models(config.args), keys)
    return replace(table, findings=tuple(found))


def print_check(table: CheckTable, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(table) | {"is_sound": table.is_sound})
        return
    if table.models:
        print(f"listens on {table.listens}")
        print(f"profile: {table.profile or 'none; all models count alike'}")
        print(f"log: {table.log or 'off'}")
        print(f"asks Ray for {table.cpus:g} CPUs and {table.gpus:g} GPUs, router and verifier included\n")
        print_table(_columns(table))
    for finding in table.findings:
        print(f"{finding.level}: {finding}", file=sys.stderr)
    count = sum(finding.level == "error" for finding in table.findings)
    print("no errors" if count == 0 else f"{count} error{'s' if count > 1 else ''}", file=sys.stderr)


def _machine(table: CheckTable, cores: int) -> list[Finding]:
    """CPUs beyond this machine's, if all is to run here."""
    if table.cpus <= cores:
        return []
    message = f"Ray is asked for {table.cpus:g} CPUs, and this machine has {cores}; there it would wait for ever"
    mend = "make num_cpus smaller, or run it on a cluster"
    return [Finding(level="warning", key="num_cpus", value=f"{table.cpus:g}", message=message, mend=mend)]


def _columns(table: CheckTable) -> list[Column]:
    rows = table.models
    return [
        Column(title="model", rank=0, cells=[row.name for row in rows]),
        Column(title="engine", rank=2, cells=[row.engine for row in rows]),
        Column(title="from", rank=1, cells=[" ".join(row.where) for row in rows]),
        Column(title="context", rank=3, cells=[str(row.context_tokens) for row in rows], is_number=True),
        Column(title="slots", rank=6, cells=[str(row.slots) for row in rows], is_number=True),
        Column(title="replicas", rank=5, cells=[str(row.replicas) for row in rows], is_number=True),
        Column(title="CPUs", rank=7, cells=[f"{row.cpus:g}" for row in rows], is_number=True),
        Column(title="GPUs", rank=8, cells=[f"{row.gpus:g}" for row in rows], is_number=True),
        Column(title="memory", rank=9, cells=[row.memory or "-" for row in rows]),
        Column(title="prompts in profile", rank=4, cells=[str(row.prompts_in_profile) for row in rows], is_number=True),
    ]
