"""The laptop stack as a whole: emulator, Spotify stub and deployment, and what one does with them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import boto3
from botocore.config import Config

from local import spotify_stub
from local.athena import QueryResult
from local.deploy import Deployment, StackBroken, Tools, fingerprint
from local.emulator import (
    ACCESS_KEY,
    REGION,
    SECRET_KEY,
    Emulator,
    answers,
    clean_environment,
    http_json,
    start_server,
)
from local.errors import LaptopError
from local.process import HOST, BackgroundProcess, exclusive
from local.sql_dialect import on_laptop

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EMULATOR_PORT = 4566
STUB_PORT = 8700
STUB_START_TIMEOUT_S = 20.0
INVOKE_TIMEOUT_S = 900.0  # the longest a Lambda function may run
QUIET_S = 3.0
STALL_S = 90.0

# What is different from a deployment to AWS, besides where Spotify is.
LAPTOP_PARAMETERS = {
    # A run at six in the morning would add a day of its own to the data.
    "ScheduleState": "DISABLED",
    # Each transform at a time is a process that unpacks the layers for itself.
    "TransformConcurrency": str(min(5, max(2, os.cpu_count() or 2))),
    # Here they cost nothing, and are deployed and tried like the others.
    "AlarmSet": "all",
    # The emulator has no saved queries.
    "SavedQueries": "false",
}
DEAD_LETTER_OUTPUTS = (
    "TransformDeadLettersUrl",
    "ExtractFailuresUrl",
    "ReportFailuresUrl",
    "ScheduleDeadLettersUrl",
)
QUERY_ACTIONS = ("athena:GetQueryExecution", "athena:GetQueryResults", "athena:StopQueryExecution")

_PLAYLIST = r"(?P<playlist>[0-9A-Za-z]{1,64})"
_TIME = r"(?P<time>[0-9]{8}T[0-9]{6}Z)"
_RAW_KEY = re.compile(rf"raw/playlist_id={_PLAYLIST}/{_TIME}\.json\.gz")
_CURATED_KEY = re.compile(rf"curated/.+/snapshot_date=[^/]+/{_PLAYLIST}-{_TIME}\.parquet")

type Step = Callable[[str], contextlib.AbstractContextManager[object]]


@dataclass
class State:
    """What one command leaves for the next: which processes it started, and what it deployed.

    Attributes
    ----------
    emulator_id
        Drawn anew for each start of the emulator, whose memory holds everything that is deployed.
    deployed
        Fingerprint of what was deployed to that emulator.
    """

    emulator_port: int | None = None
    emulator_version: str | None = None
    emulator_id: str | None = None
    stub_port: int | None = None
    stub_version: str | None = None
    deployed: str | None = None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the state; a file that is missing or unreadable is an empty state."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return cls()

    def save(self, path: Path) -> None:
        """Write the state in one step, so that an interruption never leaves half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)


@dataclass(frozen=True)
class Invocation:
    """The answer of a function.

    Attributes
    ----------
    payload
        What it returned, or the description of its error.
    error
        ``Unhandled`` and the like when it raised or ran out of time, else None.
    """

    payload: Any
    error: str | None

    @property
    def message(self) -> str:
        """The error as a sentence."""
        if isinstance(self.payload, dict) and "errorMessage" in self.payload:
            return str(self.payload["errorMessage"])
        return str(self.payload)


@dataclass(frozen=True)
class Backlog:
    """How far the transform is.

    Attributes
    ----------
    raw, done
        Snapshots in the raw bucket, and those whose objects are in the lake for every table.
    queued
        Messages that wait or are being worked on.
    """

    raw: int
    done: int
    queued: int

    @property
    def is_clear(self) -> bool:
        """Whether nothing is left to do."""
        return self.queued == 0 and self.done >= self.raw


def _silent(_text: str) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext()


class LaptopStack:
    """Spotify Lake on this machine.

    Parameters
    ----------
    root
        The repository.
    state_dir
        Where pids, ports, logs and the emulator's files go. Two stacks with different directories do not
        know of each other.
    tools
        Where programs are; by default where the Makefile installs them.
    step
        Called with a few words for each step that takes a moment; what it returns is entered as a context.
    parameters
        Parameters of the template that differ from LAPTOP_PARAMETERS.
    contract
        Which Web API the stub serves: ``new`` or ``legacy``.
    emulator_port, stub_port
        Ports to use when they are free.
    """

    def __init__(
        self,
        root: Path,
        state_dir: Path,
        *,
        tools: Tools | None = None,
        step: Step = _silent,
        parameters: Mapping[str, str] | None = None,
        contract: spotify_stub.Contract = "new",
        emulator_port: int = EMULATOR_PORT,
        stub_port: int = STUB_PORT,
    ) -> None:
        tools = tools or Tools.below(root)
        self.root = root
        self.state_dir = state_dir
        self.emulator = Emulator(
            tools.emulator_python,
            root / "requirements" / "emulator.txt",
            state_dir / "emulator",
            emulator_port,
        )
        self.stub = BackgroundProcess("stub", state_dir / "stub")
        self.deployment = Deployment(root, tools, state_dir)
        self._step = step
        self._parameters = LAPTOP_PARAMETERS | dict(parameters or {})
        self._contract = contract
        self._stub_port = stub_port
        self._state_path = state_dir / "state.json"
        self._state = State.load(self._state_path)
        self._outputs: dict[str, str] | None = None
        self._clients: dict[str, Any] = {}
        self._session = boto3.Session(
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=REGION
        )

    # --- start and stop ---

    def up(self) -> bool:
        """Make sure that everything runs and is deployed as the sources are now, and that the lake can sign in.

        Returns
        -------
        bool
            Whether there was anything to do.

        Raises
        ------
        LaptopError
            Something does not start, build or deploy, or another command is at work on this stack.
        """
        with self._alone():
            self._state = State.load(self._state_path)
            before = replace(self._state)
            fresh = self._ensure_emulator()
            self._ensure_stub()
            self._ensure_deployed(fresh=fresh)
            self._let_report_follow_its_queries()
            self._store_credentials()
            return self._state != before

    def attach(self) -> None:
        """Find the running stack.

        Raises
        ------
        LaptopError
            It is not running, or nothing is deployed.
        """
        self._state = State.load(self._state_path)
        port = self._state.emulator_port
        if port is None or not self.emulator.is_healthy(port):
            raise LaptopError("The laptop stack is not running. Start it with `make demo`, or `make up`.")
        if self._state.deployed is None:
            raise LaptopError("The laptop stack is not deployed yet. Run `make demo`, or `make up`.")

    def down(self) -> bool:
        """End everything that was started, and with it the data; return whether something was running."""
        with self._alone():
            was_running = [self.stub.stop(), self.emulator.stop()]
            self._state_path.unlink(missing_ok=True)
            self._state = State()
            self._forget()
        return any(was_running)

    # --- what runs where ---

    @property
    def endpoint(self) -> str:
        """URL of the emulator."""
        return f"http://{HOST}:{self._state.emulator_port}"

    @property
    def stub_url(self) -> str:
        """URL of the Spotify stub."""
        return f"http://{HOST}:{self._state.stub_port}"

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of the deployed stack by name."""
        if self._outputs is None:
            self._outputs = self.deployment.outputs(self.client("cloudformation"))
        return self._outputs

    def client(self, service: Any) -> Any:
        """Return a boto3 client of `service` that talks to the emulator as the account's owner."""
        if service not in self._clients:
            config = Config(
                read_timeout=INVOKE_TIMEOUT_S,
                # An invocation that is sent again would run the function again.
                retries={"total_max_attempts": 1} if service == "lambda" else {"mode": "standard"},
            )
            self._clients[service] = self._session.client(service, endpoint_url=self.endpoint, config=config)
        return self._clients[service]

    # --- using it ---

    def set_stub_clock(self, now: dt.datetime) -> None:
        """Move the stub to the state that its playlists have at `now`."""
        self._ask_stub("clock", method="PUT", body={"now": _zulu(now)})

    def stub_requests(self) -> list[dict[str, Any]]:
        """Return the requests that the stub has answered."""
        requests: list[dict[str, Any]] = self._ask_stub("requests")
        return requests

    def invoke(self, function: str, event: Any) -> Invocation:
        """Invoke a deployed function, wait, and return its answer.

        Parameters
        ----------
        function
            ``extract``, ``transform`` or ``report``.
        event
            The event; anything that JSON can express.
        """
        name = self.outputs[f"{function.capitalize()}FunctionName"]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return Invocation(json.loads(answer["Payload"].read() or b"null"), answer.get("FunctionError"))

    def invoke_extract(
        self, scheduled_at: dt.datetime, playlist_ids: list[str] | None = None
    ) -> dict[str, Any]:
        """Take the snapshots of `scheduled_at`, with the stub's clock at that time.

        Returns
        -------
        dict
            The function's result: ``written``, ``already_there`` and ``failed`` playlists.

        Raises
        ------
        LaptopError
            The function raised.
        """
        self.set_stub_clock(scheduled_at)
        event: dict[str, Any] = {"scheduled_at": _zulu(scheduled_at)}
        if playlist_ids is not None:
            event["playlist_ids"] = playlist_ids
        invocation = self.invoke("extract", event)
        if invocation.error is not None:
            raise LaptopError(
                f"The extract function failed for {_zulu(scheduled_at)}: {invocation.message.rstrip('.')}. "
                "`make logs FUNCTION=extract` shows what it logged.",
                log=self.emulator.process.log_path,
            )
        result: dict[str, Any] = invocation.payload
        return result

    def report(self) -> bytes:
        """Have the report written, and return the page.

        Raises
        ------
        LaptopError
            The function raised.
        """
        invocation = self.invoke("report", {})
        if invocation.error is not None:
            raise LaptopError(
                f"The report function failed: {invocation.message.rstrip('.')}. "
                "`make logs FUNCTION=report` shows what it logged.",
                log=self.emulator.process.log_path,
            )
        written = invocation.payload
        stored = self.client("s3").get_object(Bucket=written["bucket"], Key=written["keys"][-1])
        page: bytes = stored["Body"].read()
        return page

    def backlog(self) -> Backlog:
        """Compare what was extracted with what is in the lake."""
        s3, lake = self.client("s3"), self.outputs["LakeBucketName"]
        raw = set(_snapshots(_keys(s3, self.outputs["RawBucketName"], "raw/"), _RAW_KEY))
        locations = [table["StorageDescriptor"].get("Location", "") for table in self.tables()]
        tables = tuple(
            each.removeprefix(f"s3://{lake}/") for each in locations if f"//{lake}/curated/" in each
        )
        keys = [key for key in _keys(s3, lake, "curated/") if key.startswith(tables)]
        curated = Counter(_snapshots(keys, _CURATED_KEY))
        done = sum(curated[snapshot] >= len(tables) for snapshot in raw)
        return Backlog(len(raw), done, self.queue_length("TransformQueueUrl"))

    def wait_until_idle(
        self, stall_s: float = STALL_S, progress: Callable[[Backlog], None] = lambda _backlog: None
    ) -> Backlog:
        """Wait until every snapshot has become tables, or until the queue has been empty for a while without.

        Parameters
        ----------
        stall_s
            Longest time to wait without any snapshot being finished, in seconds.
        progress
            Called with the state of things about twice a second.

        Returns
        -------
        Backlog
            How it ended: `is_clear`, or with snapshots that went to the dead-letter queue.

        Raises
        ------
        LaptopError
            Snapshots wait, and none is being finished.
        """
        finished, finished_at = -1, time.monotonic()
        quiet_since: float | None = None
        while True:
            backlog = self.backlog()
            progress(backlog)
            now = time.monotonic()
            if backlog.done > finished:
                finished, finished_at = backlog.done, now
            quiet_since = (quiet_since or now) if backlog.queued == 0 else None
            # Between its event and the message, a snapshot is in no queue for a moment.
            if backlog.is_clear or (quiet_since is not None and now - quiet_since > QUIET_S):
                return backlog
            if now - finished_at > stall_s:
                raise LaptopError(
                    f"{backlog.raw - backlog.done} of {backlog.raw} snapshots wait for the transform function, "
                    f"and for {stall_s:.0f} s none was finished. "
                    "`make logs FUNCTION=transform` shows what it logged.",
                    log=self.emulator.process.log_path,
                )
            time.sleep(0.4)

    def queue_length(self, output: str) -> int:
        """Return the messages of a queue, waiting and in flight, by the name of the output with its URL."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def dead_letters(self) -> dict[str, int]:
        """Return the number of messages of each dead-letter queue that has any."""
        lengths = {output.removesuffix("Url"): self.queue_length(output) for output in DEAD_LETTER_OUTPUTS}
        return {name: length for name, length in lengths.items() if length}

    def log_events(self, function: str, limit: int = 200) -> list[tuple[dt.datetime, str]]:
        """Return the newest log lines of a function with their times, oldest first.

        Parameters
        ----------
        function
            ``extract``, ``transform`` or ``report``.
        limit
            The most lines to return.
        """
        name = self.outputs[f"{function.capitalize()}FunctionName"]
        settings = self.client("lambda").get_function_configuration(FunctionName=name)
        group = settings.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{name}"
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
        events.sort(key=lambda event: event["timestamp"])
        return [
            (dt.datetime.fromtimestamp(event["timestamp"] / 1000, dt.UTC), event["message"].rstrip())
            for event in events[-limit:]
        ]

    def tables(self) -> list[dict[str, Any]]:
        """Return the declared tables from the Glue Data Catalog."""
        pages = (
            self.client("glue")
            .get_paginator("get_tables")
            .paginate(DatabaseName=self.outputs["DatabaseName"])
        )
        return [table for page in pages for table in page["TableList"]]

    def athena(self, sql: str) -> QueryResult:
        """Run one query of Athena's SQL through the Athena API; it may name the views too."""
        workgroup, database = self.outputs["AthenaWorkGroupName"], self.outputs["DatabaseName"]
        return on_laptop(self.client, workgroup, database).run(sql)

    # --- how it is made ---

    def _alone(self) -> contextlib.AbstractContextManager[int]:
        refusal = "Another `make demo`, `make up` or `make down` is at work here. Wait for it, or press Ctrl-C there."
        return exclusive(self.state_dir / "command.lock", refusal)

    def _ensure_emulator(self) -> bool:
        """Find or start the emulator; return whether it is a new one."""
        version = self.emulator.version()
        port = self._state.emulator_port
        if port is not None and self._state.emulator_version == version and self.emulator.is_healthy(port):
            return False
        self._replace_emulator()
        return True

    def _replace_emulator(self) -> None:
        with self._step("Starting the AWS emulator"):
            self.emulator.stop()
            self._forget()
            self._state.emulator_port = self._state.deployed = None
            self._save_state()
            port = self.emulator.start()
            self._state.emulator_port = port
            self._state.emulator_version = self.emulator.version()
            self._state.emulator_id = uuid.uuid4().hex
            self._save_state()

    def _ensure_stub(self) -> None:
        version = fingerprint(self.root, ["local/spotify_stub"], self._contract)
        if (
            self._state.stub_port is not None
            and self._state.stub_version == version
            and self.stub.pid() is not None
            and answers(f"{self.stub_url}/_stub/health")
        ):
            return
        with self._step("Starting the Spotify stub"):
            self.stub.stop()
            port = self._state.stub_port or self._stub_port
            self._state.stub_port = start_server(
                self.stub, self._start_stub, port, "/_stub/health", STUB_START_TIMEOUT_S
            )
            self._state.stub_version = version
            self._save_state()

    def _start_stub(self, port: int) -> None:
        arguments = ["-m", "local.spotify_stub", "--port", str(port), "--contract", self._contract]
        self.stub.start([sys.executable, *arguments], clean_environment(os.environ), self.root)

    def _ask_stub(self, what: str, **request: Any) -> Any:
        try:
            return http_json(f"{self.stub_url}/_stub/{what}", **request)
        except (OSError, ValueError) as error:
            raise LaptopError(
                f"The Spotify stub does not answer ({error}). `make up` starts it again.",
                log=self.stub.log_path,
            ) from error

    def _ensure_deployed(self, *, fresh: bool) -> None:
        if not self.deployment.is_built():
            with self._step("Building functions and layers (sam build)"):
                self.deployment.build()
        try:
            self._deploy()
        except (StackBroken, LaptopError):
            if fresh or self._is_deployable():
                raise
            # What an earlier run left cannot be updated. A new emulator is a clean start.
            self._replace_emulator()
            self._deploy()

    def _is_deployable(self) -> bool:
        try:
            self.deployment.settle(self.client("cloudformation"))
        except StackBroken:
            return False
        return True

    def _deploy(self) -> None:
        exists = self.deployment.settle(self.client("cloudformation"))
        parameters = self._parameters | {"SpotifyApiUrl": self.stub_url, "SpotifyAccountsUrl": self.stub_url}
        wanted = fingerprint(
            self.root,
            [],
            self.deployment.source_fingerprint(),
            json.dumps(parameters, sort_keys=True),
            str(self._state.emulator_id),
        )
        if exists and self._state.deployed == wanted:
            return
        with self._step("Deploying the stack (sam deploy)"):
            self._state.deployed = self._outputs = None
            self._save_state()
            self.deployment.deploy(self.endpoint, parameters)
            self._state.deployed = wanted
            self._save_state()

    def _let_report_follow_its_queries(self) -> None:
        """Give the report function what it needs here and not on AWS.

        AWS knows the workgroup of a query by the query's id and permits asking for it by that. The emulator does
        not, and takes the question for one about all workgroups.
        """
        role = self.client("cloudformation").describe_stack_resource(
            StackName=self.deployment.settings.stack_name, LogicalResourceId="ReportRole"
        )["StackResourceDetail"]["PhysicalResourceId"]
        statement = {
            "Sid": "FollowQueries",
            "Effect": "Allow",
            "Action": list(QUERY_ACTIONS),
            "Resource": "*",
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("iam").put_role_policy(RoleName=role, PolicyName="emulator", PolicyDocument=policy)

    def _store_credentials(self) -> None:
        """Sign the lake in to the stub, as `make login` does for Spotify."""
        secrets = self.client("secretsmanager")
        secret_id = self.outputs["SpotifySecretArn"]
        credentials = {
            "client_id": spotify_stub.CLIENT_ID,
            "client_secret": spotify_stub.CLIENT_SECRET,
            "refresh_token": spotify_stub.REFRESH_TOKEN,
            "scopes": " ".join(spotify_stub.SCOPES),
        }
        try:
            stored = json.loads(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
        except (secrets.exceptions.ResourceNotFoundException, KeyError, ValueError):
            stored = {}
        if {name: stored.get(name) for name in credentials} == credentials:
            return
        with self._step("Storing the stub's credentials in the secret"):
            now = _zulu(dt.datetime.now(dt.UTC))
            value = json.dumps(credentials | {"authorized_at": now})
            secrets.put_secret_value(SecretId=secret_id, SecretString=value)

    def _forget(self) -> None:
        """Drop what was known of an emulator that is gone."""
        self._outputs = None
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _save_state(self) -> None:
        self._state.save(self._state_path)


def _zulu(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def _snapshots(keys: Iterable[str], pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Yield playlist id and time of each key that is a snapshot's."""
    for key in keys:
        if match := pattern.fullmatch(key):
            yield match["playlist"], match["time"]
