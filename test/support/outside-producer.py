"""Sends sample events as a Kafka client does that knows nothing of us: librdkafka, with its own partitioner.

outside-producer.py BROKERS TOPIC ingest|delete, with samples of 24 dimensions. What was acknowledged is
written to stdout, a line of JSON for each record.
"""

import base64
import functools
import hashlib
import json
import sys

from confluent_kafka import Producer

brokers, topic, action = sys.argv[1:]
SOURCE = "urn:example:outside"


def encoding(sample):
    return base64.b64encode(hashlib.sha256(sample.encode()).digest()[:24]).decode()


def report(headers, error, message):
    if error is not None:
        sys.exit(f"not delivered: {error}")
    value = message.value()
    print(json.dumps({
        "partition": message.partition(),
        "position": message.offset(),
        "time": message.timestamp()[1],
        "key": message.key().decode(),
        "value": None if value is None else base64.b64encode(value).decode(),
        "headers": headers,
    }))


# The topic is uncompressed whatever its producers do.
settings = {"bootstrap.servers": brokers, "enable.idempotence": True, "compression.type": "lz4"}
producer = Producer(settings)


def send(key, type, data, binary=False, **where):
    attributes = {"specversion": "1.0", "id": f"{type} {key}", "source": SOURCE, "type": type}
    if "ingested" in type:
        attributes["time"] = "2024-03-01T09:30:00+01:00"
    if binary:
        headers = {f"ce_{name}": text for name, text in attributes.items()}
        headers["content-type"] = "application/json"
        value = json.dumps(data)
    else:
        headers = {"content-type": "application/cloudevents+json"}
        value = json.dumps({**attributes, "datacontenttype": "application/json", "data": data})
    produce(key, value, headers, **where)


def produce(key, value, headers, **where):
    # What is delivered is reported without its headers.
    on_delivery = functools.partial(report, headers)
    producer.produce(topic, key=key, value=value, headers=headers, on_delivery=on_delivery, **where)


if action == "ingest":
    for number in range(24):
        sample = f"outside-{number}"
        data = {"sampleId": sample, "label": "ab"[number % 2], "encoding": {"int8": encoding(sample)}}
        if number >= 20:
            data["subjectId"] = "person"
        # One is sent to all partitions, as several producers would with partitioners of their own.
        for where in [{"partition": p} for p in range(3)] if number == 0 else [{}]:
            send(sample, "legonet.sample.ingested.v1", data, binary=number % 3 == 0, **where)
else:
    for number in range(4):
        data = {"sampleId": f"outside-{number}", "reason": f"because of outside-{number}"}
        send(data["sampleId"], "legonet.sample.deleted.v1", data, binary=number % 2 == 1)
    produce("outside-4", None, {})
    produce("subject:person", None, {})
if producer.flush(60) > 0:
    sys.exit("not everything was delivered")
