"""A real run played again: the same prompts, known outcomes and clients, against simulated engines."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import astuple, dataclass, field, replace
from statistics import fmean, stdev

import numpy as np

from deployments.router.choice.policy import POLICIES
from deployments.router.settings import Learning
from profiles.measures.trial import Trial
from profiles.measures.ttca import answerable, charged_s, longest_attempts_s
from profiles.measuring.measurement import Record
from profiles.profile import Profile
from scripts.simulate.core.cluster import Cluster
from scripts.simulate.core.router import FROZEN, Ablation, Loop, SimulatedRouter
from scripts.simulate.core.simulation import Results, Simulation
from scripts.simulate.core.traffic import SimulatedPrompt, Traffic, recorded_prompts
from scripts.simulate.core.truth import RecordedTruth
from scripts.simulate.run import loop_of

# By what share answers are longer or shorter in a repeated replay.
SHAKEN = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedRequest:
    """One request of a plan; `due_s` counts only where requests come at planned times."""

    prompt_id: str
    session: str = ""
    due_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryMode:
    """What a contender is: a policy, and who asks again after a wrong answer."""

    policy: str
    loop: Loop


@dataclass(frozen=True, slots=True)
class Side:
    """What a run brought on prompts that some model answers: charges of reading (i), see `profiles.measures.ttca`."""

    mean_s: float
    p95_s: float
    solved: float
    attempts: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRow:
    """A contender, simulated beside real, over the same `requests`.

    `spread` are the standard deviations of the simulated side from one replay to the next: what the order in which
    requests happen to meet is worth in one run. NaN for a single replay.
    """

    name: str
    requests: int
    simulated: Side
    real: Side
    spread: Side

    @property
    def mean_ratio(self) -> float:
        return self.simulated.mean_s / self.real.mean_s

    @property
    def p95_ratio(self) -> float:
        return self.simulated.p95_s / self.real.p95_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The contenders that could be compared, those that could not, and how many trials ended in an error."""

    rows: Sequence[ReplayRow]
    skipped: Sequence[str] = ()
    errors: int = 0


Pairs = Mapping[str, Sequence[tuple[Trial, Trial]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOutcome:
    """A part of a real run, played again; `repeats` have every contender's comparable trials, each with its replay.

    Comparable are those that some model answered rightly and that did not end in an error.
    """

    cap: int
    repeats: Sequence[Pairs]
    policies: Set[str]
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWorld:
    """All that a replay takes besides the policy. With `clients` 0 requests come when they are due.

    `prompts` are those of the records that every model answered, by id, unless others are given.
    """

    profile: Profile
    records: Sequence[Record]
    cluster: Cluster
    clients: int
    cap: int = 10
    seed: int = 0
    prompts: Mapping[str, SimulatedPrompt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.prompts:
            object.__setattr__(self, "prompts", recorded_prompts(self.records, self.cluster.models))

    def shaken(self, by: float, seed: int) -> "ReplayWorld":
        """The same with every answer a little longer or shorter, so that requests meet otherwise."""
        rng = np.random.default_rng(seed)
        prompts = {}
        for key, prompt in self.prompts.items():
            factors = np.exp(by * rng.standard_normal(len(prompt.output_tokens)))
            prompts[key] = replace(prompt, output_tokens=tuple((factors * prompt.output_tokens).tolist()))
        return replace(self, prompts=prompts)


OWN_WAYS: Mapping[str, RetryMode] = {name: RetryMode(policy=name, loop=loop_of(name)) for name in POLICIES}


def play_policy(
    world: ReplayWorld,
    plan: Sequence[ReplayedRequest],
    policy: str,
    *,
    loop: Loop,
    learning: Learning = FROZEN,
    ablation: Ablation | None = None,
    profile: Profile | None = None,
) -> Results:
    """One policy on a plan of recorded prompts; `profile` is what its router knows, if not the world's."""
    known, cluster = world.prompts, world.cluster
    if missing := sorted({asked.prompt_id for asked in plan} - known.keys()):
        raise ValueError(
            f"{len(missing)} prompts were not answered by every model of {list(cluster.models)}: {missing[:3]}"
        )
    prompts = list(known.values())
    place = {prompt.id: index for index, prompt in enumerate(prompts)}
    due = None if world.clients else np.array([asked.due_s for asked in plan])
    traffic = Traffic(
        prompts=prompts,
        order=np.array([place[asked.prompt_id] for asked in plan]),
        arrival_s=due,
        clients=world.clients,
        sessions=[asked.session or asked.prompt_id for asked in plan],
    )
    router = SimulatedRouter(
        policy=policy,
        models=cluster.models,
        profile=profile or world.profile,
        replicas=cluster.replicas,
        learning=learning,
        ablation=ablation,
    )
    truth = RecordedTruth(world.records, cluster.models)
    return Simulation(
        cluster, router, traffic, truth, loop=loop, cap=world.cap, seed=world.seed, keeps_tries=True
    ).run()


def replay(
    world: ReplayWorld, trials: Sequence[Trial], *, ways: Mapping[str, RetryMode] = OWN_WAYS, repeats: int = 1
) -> ReplayOutcome:
    """Simulate every contender of a part of a real run, block by block in the order of sending.

    All prompts are simulated that all models answered: the first time as they are, and repeated with answers whose
    lengths are a hundredth off. In a closed loop those that begin a block at once come in any order, as in a real run,
    where it is decided within milliseconds.
    """
    return ReplayOutcome(
        cap=world.cap,
        repeats=[_played(_repeated(world, number), trials, ways, number) for number in range(repeats)],
        policies={trial.policy for trial in trials},
        errors=sum(not is_whole(trial) for trial in trials if trial.policy in ways),
    )


def compare(parts: Sequence[ReplayOutcome]) -> Replay:
    """Set the simulation beside the real run, all parts together; the simulated side is the mean of the repeats."""
    cap = parts[0].cap
    played = [_together(pairs) for pairs in zip(*(part.repeats for part in parts), strict=True)]
    real = {name: [was for was, _ in pairs] for name, pairs in played[0].items() if pairs}
    was = sides(real, cap)
    every = [sides({name: [now for _, now in pairs] for name, pairs in one.items()}, cap) for one in played]
    rows = [
        ReplayRow(
            name=name,
            requests=len(real[name]),
            simulated=_fold([one[name] for one in every], fmean),
            real=was[name],
            spread=_fold([one[name] for one in every], _deviation),
        )
        for name in real
    ]
    policies = set().union(*(part.policies for part in parts))
    return Replay(rows=rows, skipped=sorted(policies - set(real)), errors=sum(part.errors for part in parts))


def _repeated(world: ReplayWorld, number: int) -> ReplayWorld:
    return world.shaken(SHAKEN, world.seed + number) if number else world


def _in_their_order(trials: Sequence[Trial], together: int, rng: np.random.Generator | None) -> Sequence[Trial]:
    """The trials with the first ones, which are sent together, in an order that is drawn."""
    if rng is None:
        return trials
    first = [trials[i] for i in rng.permutation(min(together, len(trials)))]
    return [*first, *trials[together:]]


def _played(world: ReplayWorld, trials: Sequence[Trial], ways: Mapping[str, RetryMode], number: int) -> Pairs:
    """Every contender's comparable trials, each with what the simulator made of it."""
    known, right = world.prompts, answerable(world.records)
    rng = np.random.default_rng([world.seed, number]) if number else None
    pairs: dict[str, list[tuple[Trial, Trial]]] = {}
    for name, of_name in _by_contender(trials).items():
        if name not in ways:
            continue
        pairs[name] = []
        for block, every in of_name.items():
            mine = _in_their_order([trial for trial in every if trial.prompt_id in known], world.clients, rng)
            plan = plan_of(mine)
            outcome = play_policy(world, plan, ways[name].policy, loop=ways[name].loop)
            both = zip(mine, trials_of(outcome, plan, world, name=name, block=block), strict=True)
            pairs[name] += [(was, now) for was, now in both if is_whole(was) and was.prompt_id in right]
    return pairs


def _together(parts: Sequence[Pairs]) -> Pairs:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: [pair for part in parts for pair in part.get(name, ())] for name in names}


def is_whole(trial: Trial) -> bool:
    """Whether it says what the engines did for it: it was asked, and did not end in an error."""
    return not trial.error and bool(trial.tries)


def _fold(every: Sequence[Side], by: Callable[[Sequence[float]], float]) -> Side:
    return Side(*(by(column) for column in zip(*map(astuple, every), strict=True)))


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else float("nan")


def trials_of(
    outcome: Results, plan: Sequence[ReplayedRequest], world: ReplayWorld, *, name: str, block: int = 0
) -> list[Trial]:
    """A simulated outcome whose attempts were kept, as trials are written down."""
    known = world.prompts
    found = []
    for index, asked in enumerate(plan):
        prompt = known[asked.prompt_id]
        found.append(
            Trial(
                policy=name,
                block=block,
                prompt_id=asked.prompt_id,
                task=prompt.task,
                language=prompt.language,
                target_tokens=int(min(prompt.prompt_tokens)),
                session=asked.session,
                sent_s=float(outcome.arrival_s[index]),
                elapsed_s=float(outcome.elapsed_s[index]),
                tries=tuple(outcome.tries.get(index, ())),
            )
        )
    return found


def plan_of(trials: Sequence[Trial]) -> list[ReplayedRequest]:
    """What trials asked for, in their order."""
    return [ReplayedRequest(prompt_id=t.prompt_id, session=t.session, due_s=t.sent_s) for t in trials]


def sides(trials: Mapping[str, Sequence[Trial]], cap: int) -> dict[str, Side]:
    """An attempt that was not made is charged the longest that any contender needed for the prompt."""
    every = [trial for mine in trials.values() for trial in mine]
    price = longest_attempts_s(every) if every else {}
    found = {}
    for name, mine in trials.items():
        if mine:
            charges = np.array([charged_s(trial, cap, attempt_s=price[trial.prompt_id]) for trial in mine])
            found[name] = Side(
                mean_s=float(charges.mean()),
                p95_s=float(np.quantile(charges, 0.95)),
                solved=float(np.mean([trial.is_solved for trial in mine])),
                attempts=float(np.mean([len(trial.tries) for trial in mine])),
            )
    return found


def _by_contender(trials: Sequence[Trial]) -> dict[str, dict[int, list[Trial]]]:
    found: dict[str, dict[int, list[Trial]]] = defaultdict(lambda: defaultdict(list))
    for trial in sorted(trials, key=lambda t: (t.policy, t.block, t.sent_s)):
        found[trial.policy][trial.block].append(trial)
    return found
