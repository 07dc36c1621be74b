"""The dead-letter queues of a lake: reads their messages and sends them back to where they failed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

BATCH: Final = 10  # of SQS
# How long received messages are hidden from others: long enough for a person to decide.
HOLD_S: Final = 600
# SQS answers from some of its servers at a time: a queue is empty only if it says so more than once.
EMPTY_ANSWERS: Final = 3


@dataclass(frozen=True)
class Depth:
    """Messages of a queue, as SQS counts them, which is approximately.

    Attributes
    ----------
    waiting, in_flight
        Those that can be received, and those that were and are hidden for a while.
    """

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """All messages."""
        return self.waiting + self.in_flight


def depth(sqs: SQSClient, url: str) -> Depth:
    """Return how many messages a queue holds."""
    attributes = sqs.get_queue_attributes(
        QueueUrl=url,
        AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
    )["Attributes"]
    return Depth(
        int(attributes["ApproximateNumberOfMessages"]),
        int(attributes["ApproximateNumberOfMessagesNotVisible"]),
    )


@dataclass(frozen=True)
class Message:
    """A message in a dead-letter queue.

    Attributes
    ----------
    message_id, handle
        Its id in SQS, and the handle of this receipt.
    since
        When it arrived there, UTC.
    subject
        What failed: the raw objects, or the run.
    why
        The error, if the message has it.
    body, attributes
        As they were sent.
    event
        The event to invoke the function with, for a failed run; None for a message that goes back to its queue.
    is_clear
        Whether it was understood; other messages stay in the queue.
    """

    message_id: str
    handle: str
    since: datetime
    subject: str
    why: str
    body: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    event: Any = None
    is_clear: bool = True


@dataclass(frozen=True)
class Queue:
    """A dead-letter queue.

    Attributes
    ----------
    name
        Of the resource in the template.
    output
        Name of the output with its address.
    target
        Name of the output with what its messages go back to: the address of a queue, or the name of a function.
    read
        Finds subject, error and event of a message.
    """

    name: str
    output: str
    target: str
    read: Callable[[MessageTypeDef], Failure]

    @property
    def is_for_function(self) -> bool:
        """Whether its messages hold events of runs, instead of messages of a queue."""
        return self.target.endswith("FunctionName")


@dataclass(frozen=True)
class Failure:
    """The content of a message; the attributes are those of `Message`."""

    subject: str
    why: str = ""
    event: Any = None
    is_clear: bool = True


def _read_s3_event(message: MessageTypeDef) -> Failure:
    """Read an event of the raw bucket, as it failed in the transform."""
    try:
        records = json.loads(message["Body"])["Records"]
        keys = [unquote_plus(record["s3"]["object"]["key"]) for record in records]
    except (ValueError, KeyError, TypeError):
        # It goes back like the others: the transform logs what is wrong with it.
        return Failure(f"not an S3 event: {_shortened(message['Body'])}")
    return Failure(", ".join(keys))


def _read_failed_run(message: MessageTypeDef) -> Failure:
    """Read what Lambda keeps of an asynchronous run that failed."""
    try:
        record = json.loads(message["Body"])
        event = record["requestPayload"]
    except (ValueError, KeyError, TypeError):
        return Failure(f"not a failed run: {_shortened(message['Body'])}", is_clear=False)
    answer = record.get("responsePayload") or {}
    if isinstance(answer, dict) and "errorMessage" in answer:
        why = str(answer["errorMessage"])
    else:
        why = str(record.get("requestContext", {}).get("condition", ""))
    return Failure(_run_name(event), why, _afresh(event))


def _read_undelivered_run(message: MessageTypeDef) -> Failure:
    """Read what the scheduler keeps of a run that it could not start."""
    attributes = message.get("MessageAttributes", {})
    codes = [
        attributes[name].get("StringValue", "")
        for name in ("ERROR_CODE", "ERROR_MESSAGE")
        if name in attributes
    ]
    try:
        event = json.loads(message["Body"])
        if isinstance(event, dict) and "Payload" in event:  # the whole call of Lambda, not only its event
            payload = event["Payload"]
            event = json.loads(payload) if isinstance(payload, str) else payload
    except ValueError:
        event = None
    if not isinstance(event, dict):
        return Failure(
            f"not an event of a run: {_shortened(message['Body'])}", ": ".join(codes), is_clear=False
        )
    return Failure(_run_name(event), ": ".join(codes), _afresh(event))


def _afresh(event: Any) -> Any:
    """Return the event of a run as a new one: a person starts it, so it may be continued as often as any."""
    return (
        {name: event[name] for name in event if name != "continuation"} if isinstance(event, dict) else event
    )


def _read_run(message: MessageTypeDef) -> Failure:
    """Read either of the two, for a queue that holds both."""
    failed = _read_failed_run(message)
    return failed if failed.is_clear else _read_undelivered_run(message)


QUEUES: Final = (
    Queue("TransformDeadLetters", "TransformDeadLettersUrl", "TransformQueueUrl", _read_s3_event),
    Queue("ExtractFailures", "ExtractFailuresUrl", "ExtractFunctionName", _read_failed_run),
    Queue("ScheduleDeadLetters", "ScheduleDeadLettersUrl", "ExtractFunctionName", _read_undelivered_run),
    Queue("ReportFailures", "ReportFailuresUrl", "ReportFunctionName", _read_run),
)


def receive(sqs: SQSClient, url: str, queue: Queue, hold_s: int = HOLD_S) -> list[Message]:
    """Receive every message of a dead-letter queue; `release` or `delete` them afterwards.

    Parameters
    ----------
    sqs
        A boto3 client.
    url
        Address of the queue.
    queue
        Which it is.
    hold_s
        How long nobody else receives them, in seconds.
    """
    found: dict[str, Message] = {}
    empty = 0
    while empty < EMPTY_ANSWERS:
        answer = sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=BATCH,
            VisibilityTimeout=hold_s,
            MessageSystemAttributeNames=["SentTimestamp"],
            MessageAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        new = [message for message in messages if message["MessageId"] not in found]
        empty = 0 if new else empty + 1
        for message in messages:
            found[message["MessageId"]] = _message(message, queue)
    return list(found.values())


def release(sqs: SQSClient, url: str, messages: Sequence[Message]) -> None:
    """Make received messages visible to others again."""
    for batch in batched(messages, BATCH, strict=False):
        entries = [
            {"Id": str(number), "ReceiptHandle": message.handle, "VisibilityTimeout": 0}
            for number, message in enumerate(batch)
        ]
        sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]


def delete(sqs: SQSClient, url: str, messages: Sequence[Message]) -> None:
    """Delete up to ten messages; one that cannot be deleted stays and is sent again another time, which is harmless."""
    if messages:
        sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[{"Id": str(number), "ReceiptHandle": one.handle} for number, one in enumerate(messages)],
        )


def send_back(
    sqs: SQSClient, source: str, target: str, messages: Sequence[Message]
) -> Iterator[list[Message]]:
    """Move messages to another queue, ten at a time: each is deleted only after it has been sent.

    Parameters
    ----------
    sqs
        A boto3 client.
    source, target
        Addresses of the dead-letter queue and of the queue to send to.
    messages
        The messages.

    Yields
    ------
    list of Message
        What was moved; what SQS did not take is left out, and left where it is.
    """
    for batch in batched(messages, BATCH, strict=False):
        answer = sqs.send_message_batch(
            QueueUrl=target,
            Entries=[
                {"Id": str(number), "MessageBody": one.body, "MessageAttributes": dict(one.attributes)}
                for number, one in enumerate(batch)
            ],
        )
        sent = [batch[int(taken["Id"])] for taken in answer.get("Successful", [])]
        delete(sqs, source, sent)
        yield sent


def start_again(
    sqs: SQSClient, functions: LambdaClient, source: str, function: str, messages: Sequence[Message]
) -> Iterator[list[Message]]:
    """Start a function with each kept event; a message is deleted only after Lambda has accepted its event.

    Parameters
    ----------
    sqs, functions
        boto3 clients.
    source
        Address of the dead-letter queue.
    function
        Name of the function. It runs asynchronously: if it fails again, the event comes back.
    messages
        The messages.

    Yields
    ------
    list of Message
        The one that was started.
    """
    for message in messages:
        functions.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(message.event).encode()
        )
        delete(sqs, source, [message])
        yield [message]


def _message(message: MessageTypeDef, queue: Queue) -> Message:
    failure = queue.read(message)
    attributes = {
        name: {
            kind: value
            for kind, value in attribute.items()
            if kind in {"DataType", "StringValue", "BinaryValue"}
        }
        for name, attribute in message.get("MessageAttributes", {}).items()
    }
    return Message(
        message_id=message["MessageId"],
        handle=message["ReceiptHandle"],
        since=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
        subject=failure.subject,
        why=failure.why,
        body=message["Body"],
        attributes=attributes,
        event=failure.event,
        is_clear=failure.is_clear,
    )


def _run_name(event: Any) -> str:
    if not isinstance(event, dict):
        return f"run with {_shortened(json.dumps(event))}"
    if event.get("plays"):
        return f"poll of {event.get('scheduled_at', 'the time it starts')}"
    playlists = event.get("playlist_ids")
    some = f", {len(playlists)} playlists" if isinstance(playlists, list) else ""
    return f"run of {event.get('scheduled_at', 'the time it starts')}{some}"


def _shortened(text: str, limit: int = 80) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= limit else f"{one_line[: limit - 1]}…"
