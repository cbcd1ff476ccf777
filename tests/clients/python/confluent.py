"""librdkafka, through confluent-kafka, with the two verbs of ../README.md."""

import sys
import time

import confluent_kafka as kafka

import lines
import member


def produce(bootstrap, topic, compression, path):
    acknowledged, failures = lines.Acknowledged(), []

    def delivered(error, _message):
        failures.append(error) if error else acknowledged.one()

    producer = kafka.Producer({
        "bootstrap.servers": bootstrap,
        "compression.type": compression,
        "enable.idempotence": True,
        "linger.ms": 5,
        "queue.buffering.max.messages": 1_000_000,
        "delivery.timeout.ms": 120_000,
        "reconnect.backoff.max.ms": 500,
    })
    for partition, key, value in lines.read(path):
        producer.produce(topic, value, key, partition, on_delivery=delivered)
        producer.poll(0)
    left = producer.flush(120)
    acknowledged.tell()
    if failures or left:
        sys.exit(f"{len(failures)} failed, {left} left: {failures[:3]}")


def consume(bootstrap, topic, count):
    consumer = kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused: partitions are assigned",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
    })
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    assigned = [kafka.TopicPartition(topic, p, kafka.OFFSET_BEGINNING) for p in partitions]
    consumer.assign(assigned)
    end, read = time.monotonic() + 60, 0
    while read < count and time.monotonic() < end:
        for message in consumer.consume(1000, timeout=0.5):
            if message.error():
                sys.exit(str(message.error()))
            sys.stdout.write(
                lines.line(message.partition(), message.offset(), message.key(), message.value())
            )
            read += 1
    if read < count:
        sys.exit(f"only {read} of {count} records within 60 s")


def join(bootstrap, topic, group):
    consumer = kafka.Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 1000,
        "reconnect.backoff.max.ms": 500,
    })
    consumer.subscribe([topic])

    def poll():
        messages = consumer.consume(200, timeout=0.2)
        return [
            lines.line(message.partition(), message.offset(), message.key(), message.value())
            for message in messages if not message.error()
        ]

    def commit():
        try:
            consumer.commit(asynchronous=False)
        except kafka.KafkaException as error:
            print(error, file=sys.stderr)

    member.work(poll, commit, consumer.close)


{"produce": produce, "consume": lambda b, t, n: consume(b, t, int(n)), "join": join}[sys.argv[1]](*sys.argv[2:])
