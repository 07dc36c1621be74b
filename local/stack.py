"""The laptop stack: starts, deploys and stops the emulator and the Spotify stub, and works with the deployed lake."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local import backlog, private, sign_in, spotify_stub, stub, trouble
from local.backlog import STALL_S, Backlog
from local.deploy import Deployment, StackBroken, Tools
from local.emulator import REGION, Emulator, Keys, client_environment
from local.errors import LaptopError
from local.fingerprint import fingerprint
from local.invocation import Invocation
from local.process import HOST, exclusive
from local.sign_in import Step
from local.state import State
from local.stub import Stub
from spotify_lake.athena import QueryResult
from spotify_lake.log_lines import errors_in, is_disk_full

EMULATOR_PORT = 4566
STUB_PORT = 8700
INVOKE_TIMEOUT_S = 900.0  # the longest a Lambda function may run

# The differences from a deployment to AWS, besides Spotify's address.
LAPTOP_PARAMETERS = {
    # A scheduled run would add snapshots that the demo and the tests do not expect.
    "ScheduleState": "DISABLED",
    # Every concurrent transform is a process that unpacks the layers for itself.
    "TransformConcurrency": str(min(5, max(2, os.cpu_count() or 2))),
    # Alarms cost nothing here, so all of them are deployed and tested.
    "AlarmSet": "all",
    # The emulator does not support saved queries.
    "SavedQueries": "false",
}
DEAD_LETTER_OUTPUTS = (
    "TransformDeadLettersUrl",
    "ExtractFailuresUrl",
    "ReportFailuresUrl",
    "ScheduleDeadLettersUrl",
)
MADE = ("bulk", "export", "report")  # folders with what the demos made, besides the emulator's own
QUERY_ACTIONS = ("athena:GetQueryExecution", "athena:GetQueryResults", "athena:StopQueryExecution")


def _silent(_text: str) -> contextlib.AbstractContextManager[object]:
    return contextlib.nullcontext()


class LaptopStack:
    """Spotify Lake on this machine.

    Parameters
    ----------
    root
        The repository.
    state_dir
        Directory for pids, ports, logs and the emulator's files. Stacks with different directories are independent.
    tools
        Paths of the programs; by default those that the Makefile installs.
    step
        Called with a short text for each step that takes a moment; returns the context manager to run it in.
    parameters
        Parameters of the template that differ from LAPTOP_PARAMETERS.
    contract
        The Web API that the stub serves: ``new`` or ``legacy``.
    emulator_port, stub_port
        Preferred ports; the next free ones are used if they are taken.
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
        self.emulator = Emulator(root, tools.emulator_python, state_dir / "emulator", emulator_port)
        self.stub = Stub(root, state_dir / "stub", contract)
        self.deployment = Deployment(root, tools, state_dir)
        self._step = step
        self._parameters = LAPTOP_PARAMETERS | dict(parameters or {})
        self._stub_port = stub_port
        self._state_path = state_dir / "state.json"
        self._state = State.load(self._state_path)
        self._outputs: dict[str, str] | None = None
        self._clients: dict[str, Any] = {}
        self._session = boto3.Session(region_name=REGION)

    # --- start and stop ---

    def up(self) -> bool:
        """Start whatever is not running, deploy the current sources and sign the lake in.

        Returns
        -------
        bool
            Whether there was anything to do.

        Raises
        ------
        LaptopError
            Something does not start, build or deploy, or another command is working on this stack.
        """
        with self._alone():
            self._state = State.load(self._state_path)
            before = replace(self._state)
            self._outputs = None  # somebody may have deployed it meanwhile
            fresh = self._ensure_emulator()
            self._ensure_stub()
            self._ensure_deployed(fresh=fresh)
            self._allow_report_to_follow_queries()
            sign_in.store(
                self.client("secretsmanager"),
                self.outputs["SpotifySecretArn"],
                self._step,
                lambda statement: self._grant("ExtractRole", statement),
            )
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
        if port is None or not self.emulator.is_healthy(port, self._keys):
            raise LaptopError("The laptop stack is not running. Start it with `./lake demo` or `./lake up`.")
        if self._state.deployed is None:
            raise LaptopError("The laptop stack is not deployed yet. Run `./lake demo` or `./lake up`.")

    def down(self) -> bool:
        """Stop everything and delete the data; return whether anything was running."""
        with self._alone():
            was_running = [self.stub.stop(), self.emulator.stop()]
            self._state_path.unlink(missing_ok=True)
            for name in MADE:
                shutil.rmtree(self.state_dir / name, ignore_errors=True)
            self._state = State()
            self._forget()
        return any(was_running)

    # --- addresses and clients ---

    @property
    def endpoint(self) -> str:
        """URL of the emulator."""
        return f"http://{HOST}:{self._state.emulator_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point an AWS SDK or command-line tool at the emulator, as the account's owner."""
        return client_environment(self.endpoint, self._keys)

    @property
    def _keys(self) -> Keys:
        return Keys(self._state.access_key, self._state.secret_key)

    @property
    def stub_url(self) -> str:
        """URL of the Spotify stub."""
        return stub.url(self._state.stub_port)

    @property
    def outputs(self) -> dict[str, str]:
        """Outputs of the deployed stack by name."""
        if self._outputs is None:
            self._outputs = self.deployment.outputs(self.client("cloudformation"))
        return self._outputs

    def client(self, service: Any) -> Any:
        """Return a boto3 client of `service` on the emulator, with the rights of the account's owner."""
        if service not in self._clients:
            config = Config(
                read_timeout=INVOKE_TIMEOUT_S,
                # Retrying an invocation would run the function twice.
                retries={"total_max_attempts": 1} if service == "lambda" else {"mode": "standard"},
            )
            self._clients[service] = self._session.client(
                service,
                endpoint_url=self.endpoint,
                aws_access_key_id=self._keys.access_key,
                aws_secret_access_key=self._keys.secret_key,
                config=config,
            )
        return self._clients[service]

    # --- use ---

    def set_stub_clock(self, now: dt.datetime) -> None:
        """Set the stub's clock, and with it the content of its playlists, to `now`."""
        self.control_stub("clock", method="PUT", body={"now": _zulu(now)})

    def stub_requests(self) -> list[dict[str, Any]]:
        """Return the requests that the stub has received."""
        requests: list[dict[str, Any]] = self.control_stub("requests")
        return requests

    def control_stub(self, what: str, *, method: str = "GET", body: Any = None) -> Any:
        """Send a request to the stub's control interface; see `local.stub.Stub.control`."""
        state = self._state
        return self.stub.control(state.stub_port, state.stub_token, what, method=method, body=body)

    def invoke(self, function: str, event: Any) -> Invocation:
        """Invoke a deployed function and return its result.

        Parameters
        ----------
        function
            ``extract``, ``transform`` or ``report``.
        event
            The event: any JSON value.
        """
        name = self.outputs[f"{function.capitalize()}FunctionName"]
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        return Invocation(json.loads(answer["Payload"].read() or b"null"), answer.get("FunctionError"))

    def invoke_extract(
        self, scheduled_at: dt.datetime, playlist_ids: list[str] | None = None
    ) -> dict[str, Any]:
        """Take the snapshots of `scheduled_at`, with the stub's clock set to that time.

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
                "`./lake logs extract --laptop` shows its log.",
                log=self.emulator.process.log_path,
            )
        result: dict[str, Any] = invocation.payload
        return result

    def report(self) -> bytes:
        """Have the report function write the report; return the page.

        Raises
        ------
        LaptopError
            The function raised.
        """
        invocation = self.invoke("report", {})
        if invocation.error is not None:
            raise LaptopError(
                f"The report function failed: {invocation.message.rstrip('.')}. "
                "`./lake logs report --laptop` shows its log.",
                log=self.emulator.process.log_path,
            )
        written = invocation.payload
        stored = self.client("s3").get_object(Bucket=written["bucket"], Key=written["keys"][-1])
        page: bytes = stored["Body"].read()
        return page

    def backlog(self) -> Backlog:
        """Compare the snapshots in the raw bucket with those in the lake."""
        return backlog.read(
            self.client("s3"),
            self.outputs["RawBucketName"],
            self.outputs["LakeBucketName"],
            [table["StorageDescriptor"].get("Location", "") for table in self.tables()],
            self.queue_length("TransformQueueUrl"),
        )

    def wait_until_idle(
        self, stall_s: float = STALL_S, progress: Callable[[Backlog], None] = lambda _backlog: None
    ) -> Backlog:
        """Wait for the transform; see `local.backlog.wait_until_idle`."""
        begun, log = dt.datetime.now(dt.UTC), self.emulator.process
        seen = log.log_size()

        def errors() -> list[str]:
            if trouble.is_full_for(self.state_dir):
                raise LaptopError(trouble.disk_is_full(self.state_dir))
            # The emulator's own log has other programs' lines, too: only a full disk stops everything.
            full = [line for line in log.log_since(seen) if is_disk_full([line])]
            return [*errors_in(line for at, line in self.log_events("transform") if at >= begun), *full[-1:]]

        return backlog.wait_until_idle(self.backlog, stall_s, progress, log.log_path, errors)

    def queue_length(self, output: str) -> int:
        """Return the number of messages in a queue, waiting and in flight; `output` names the queue's URL."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def dead_letters(self) -> dict[str, int]:
        """Return the number of messages in each dead-letter queue that is not empty."""
        lengths = {output.removesuffix("Url"): self.queue_length(output) for output in DEAD_LETTER_OUTPUTS}
        return {name: length for name, length in lengths.items() if length}

    def log_events(self, function: str, limit: int = 200) -> list[tuple[dt.datetime, str]]:
        """Return the latest log lines of a function with their times, oldest first.

        Parameters
        ----------
        function
            ``extract``, ``transform`` or ``report``.
        limit
            The maximum number of lines.
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
        """Return the tables of the Glue Data Catalog."""
        pages = (
            self.client("glue")
            .get_paginator("get_tables")
            .paginate(DatabaseName=self.outputs["DatabaseName"])
        )
        return [table for page in pages for table in page["TableList"]]

    def athena(self, sql: str) -> QueryResult:
        """Run one query through the Athena API; it can read tables and views."""
        from local.sql_dialect import on_laptop  # noqa: PLC0415 (sqlglot takes long to import)

        workgroup, database = self.outputs["AthenaWorkGroupName"], self.outputs["DatabaseName"]
        return on_laptop(self.client, workgroup, database).run(sql)

    # --- deployment ---

    def _alone(self) -> contextlib.AbstractContextManager[int]:
        refusal = (
            "Another command is starting or stopping the laptop stack. Wait for it, or press Ctrl-C there."
        )
        private.directory(self.state_dir)
        return exclusive(self.state_dir / "command.lock", refusal)

    def _ensure_emulator(self) -> bool:
        """Start the emulator unless it is running; return whether it was started."""
        version = self.emulator.version()
        port = self._state.emulator_port
        if (
            port is not None
            and self._state.emulator_version == version
            and self.emulator.is_healthy(port, self._keys)
        ):
            return False
        self._replace_emulator()
        return True

    def _replace_emulator(self) -> None:
        with self._step("Starting the AWS emulator"):
            self.emulator.stop()
            self._forget()
            self._state.emulator_port = self._state.deployed = None
            self._save_state()
            keys = Keys.random()
            self._state.emulator_port = self.emulator.start(keys)
            self._state.access_key, self._state.secret_key = keys.access_key, keys.secret_key
            self._state.emulator_version = self.emulator.version()
            self._state.emulator_id = uuid.uuid4().hex
            self._save_state()

    def _ensure_stub(self) -> None:
        version, port, token = self.stub.version(), self._state.stub_port, self._state.stub_token
        if port is not None and self._state.stub_version == version and self.stub.is_healthy(port, token):
            return
        with self._step("Starting the Spotify stub"):
            self.stub.stop()
            self._state.stub_port, self._state.stub_token = self.stub.start(port or self._stub_port)
            self._state.stub_version = version
            self._save_state()

    def _ensure_deployed(self, *, fresh: bool) -> None:
        if not self.deployment.is_built():
            with self._step("Building functions and layers (sam build)"):
                self.deployment.build()
        try:
            self._deploy()
        except (StackBroken, LaptopError):
            if fresh or self._is_deployable():
                raise
            # The deployed stack cannot be updated, so start again with an empty emulator.
            self._replace_emulator()
            self._deploy()

    def _is_deployable(self) -> bool:
        try:
            self.deployment.wait_until_stable(self.client("cloudformation"))
        except StackBroken:
            return False
        return True

    def _deploy(self) -> None:
        exists = self.deployment.wait_until_stable(self.client("cloudformation"))
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
            self.deployment.deploy(self.environment, parameters)
            self._state.deployed = wanted
            self._save_state()

    def _allow_report_to_follow_queries(self) -> None:
        """Grant the report function permissions that it needs on the emulator only.

        AWS derives the workgroup from the id of a query and checks the permission on that workgroup. The emulator
        checks for a permission on all workgroups.
        """
        actions = list(QUERY_ACTIONS)
        self._grant(
            "ReportRole", {"Sid": "FollowQueries", "Effect": "Allow", "Action": actions, "Resource": "*"}
        )

    def _grant(self, role: str, statement: dict[str, object]) -> None:
        """Give a role of the template a permission that it needs on the emulator only."""
        name = self.client("cloudformation").describe_stack_resource(
            StackName=self.deployment.settings.stack_name, LogicalResourceId=role
        )["StackResourceDetail"]["PhysicalResourceId"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.client("iam").put_role_policy(RoleName=name, PolicyName="emulator", PolicyDocument=policy)

    def _forget(self) -> None:
        """Discard the clients and outputs of the previous emulator."""
        self._outputs = None
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _save_state(self) -> None:
        self._state.save(self._state_path)


def _zulu(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
