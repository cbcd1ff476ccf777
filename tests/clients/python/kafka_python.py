"""kafka-python with the two verbs of ../README.md."""

import sys
import time

import kafka

import lines
import member


def produce(bootstrap, topic, compression, path):
    acknowledged, failures = lines.Acknowledged(), []
    producer = kafka.KafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type=None if compression == "none" else compression,
        enable_idempotence=True,
        acks="all",
        linger_ms=5,
        delivery_timeout_ms=120_000,
        max_block_ms=120_000,
    )
    for partition, key, value in lines.read(path):
        future = producer.send(topic, value, key, partition=partition)
        future.add_callback(lambda _metadata: acknowledged.one())
        future.add_errback(failures.append)
    producer.flush(120)
    producer.close()
    acknowledged.tell()
    if failures:
        sys.exit(f"{len(failures)} failed: {failures[:3]}")


def consume(bootstrap, topic, count):
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    partitions = [kafka.TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    end, read = time.monotonic() + 60, 0
    while read < count and time.monotonic() < end:
        for records in consumer.poll(timeout_ms=500, max_records=5000).values():
            for record in records:
                sys.stdout.write(
                    lines.line(record.partition, record.offset, record.key, record.value)
                )
                read += 1
    consumer.close()
    if read < count:
        sys.exit(f"only {read} of {count} records within 60 s")


def join(bootstrap, topic, group):
    consumer = kafka.KafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
    )

    def poll():
        polled = consumer.poll(timeout_ms=200, max_records=200)
        return [
            lines.line(record.partition, record.offset, record.key, record.value)
            for records in polled.values() for record in records
        ]

    def commit():
        try:
            consumer.commit()
        except kafka.errors.KafkaError as error:
            print(error, file=sys.stderr)

    member.work(poll, commit, lambda: consumer.close(autocommit=False))


{"produce": produce, "consume": lambda b, t, n: consume(b, t, int(n)), "join": join}[sys.argv[1]](*sys.argv[2:])
