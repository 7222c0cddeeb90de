"""`laar profile from-log`: a profile of what live traffic has shown."""

from datetime import UTC, datetime
from pathlib import Path

from deployments.log.database.store import Store
from deployments.log.reading.outcomes import logged_attempts
from profiles.cell import Buckets
from profiles.measuring.from_log import Refit, refit
from profiles.measuring.logged_attempt import JudgedAttempt
from profiles.profile import Measured, Profile
from scripts.log.actions import moment, run
from scripts.options import LOG_URL_ENV
from scripts.profile.measuring.plan import BUCKET_EDGES
from scripts.profile.saving import save_profile

# The latest attempts that are read at most, which bounds the memory.
MAX_ATTEMPTS = 500_000
COMMAND = "laar profile from-log"


def attempts_since(url: str | None, since: str, *, command: str) -> list[JudgedAttempt]:
    """What the log has from then on, in order; a fault is one line on stderr and the exit status 1."""

    def read(store: Store) -> list[JudgedAttempt]:
        with store.engine.connect() as connection:
            return logged_attempts(connection, since=moment(since, datetime.now(UTC)), limit=MAX_ATTEMPTS)

    return run(url, LOG_URL_ENV, read, command=command)


def profile_from_log(
    url: str | None, url_env: str, *, out: Path, base: Profile | None, base_name: str, since: str
) -> None:
    """Write the profile and tell what it rests on; a fault is one line on stderr and the exit status 1."""

    def fit(store: Store) -> None:
        began = moment(since, datetime.now(UTC))
        with store.engine.connect() as connection:
            attempts = logged_attempts(connection, since=began, limit=MAX_ATTEMPTS)
        # not before the log was read: what came meanwhile may be in it
        ended = datetime.now(UTC)
        if not attempts:
            raise ValueError(f"the log has no attempts since {began:%F %T} UTC; go further back with --since")
        edges = base.bucket_edges if base else BUCKET_EDGES
        found = refit(attempts, buckets=Buckets(tuple(edges)), base=base)
        if not found.models:
            raise ValueError("; ".join(f"{name}: {why}" for name, why in found.left_out.items()))
        profile = Profile(
            version=1,
            measured=_measured(found, (began, ended), len(attempts), base, base_name),
            bucket_edges=tuple(edges),
            models=found.models,
            pairs=found.pairs,
            checks=base.checks if base else (),
        )
        save_profile(profile, out)
        for line in _told(found, profile, out):
            print(line)

    run(url, url_env, fit, command=COMMAND)


def _measured(
    found: Refit, period: tuple[datetime, datetime], num_attempts: int, base: Profile | None, base_name: str
) -> Measured:
    """The log knows neither temperatures nor machines: those of the base stand there, so that both can be merged."""
    rests_on_base = base is not None and any(found.from_base.values())
    cut = f", the latest {MAX_ATTEMPTS} only" if num_attempts == MAX_ATTEMPTS else ""
    note = (
        f"from the attempt log since {period[0]:%FT%H:%MZ}: {num_attempts} attempts{cut}, {found.num_counted} judged "
        f"first attempts in cells, {found.num_paired} after a wrong answer in pairs"
    )
    if base is not None:
        borrowed = [f"{name}: {', '.join(what)}" for name, what in found.from_base.items() if what]
        note += f"; from {base_name} of {base.measured.at}: bucket edges" + "".join(f"; {line}" for line in borrowed)
    return Measured(
        assumed=rests_on_base and base is not None and base.measured.assumed,
        at=period[1].strftime("%Y-%m-%dT%H:%MZ"),
        hardware=base.measured.hardware if base else "not logged",
        software=base.measured.software if base else {},
        command=COMMAND,
        workloads=("attempt log",),
        seed=None,
        log_periods=(period,),
        temperature=base.measured.temperature if base else 0,
        prompts_per_cell=0,
        note=note,
    )


def _told(found: Refit, profile: Profile, out: Path) -> list[str]:
    lines = [f"{out}: {profile.measured.note}"]
    for name, model in found.models.items():
        counted = sum(cell.tried for cell in model.cells)
        lines.append(f"{name}: {counted} answers in {len(model.cells)} cells")
    return lines + [f"{name} is left out: {why}" for name, why in found.left_out.items()]
