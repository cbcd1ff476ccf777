// franz-go with the two verbs of ../README.md.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A line of the format that all clients share; []byte is base64 in Go's JSON.
type line struct {
	Partition int32  `json:"p"`
	Offset    int64  `json:"o"`
	Key       []byte `json:"k"`
	Value     []byte `json:"v"`
}

func codec(name string) kgo.CompressionCodec {
	switch name {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	}
	return kgo.NoCompression()
}

func produce(bootstrap, topic, compression, file string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codec(compression)),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.RecordDeliveryTimeout(120*time.Second),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	input, err := os.Open(file)
	if err != nil {
		return err
	}
	var lock sync.Mutex
	acknowledged, failed := 0, error(nil)
	delivered := func(_ *kgo.Record, err error) {
		lock.Lock()
		defer lock.Unlock()
		if err != nil {
			failed = err
			return
		}
		if acknowledged++; acknowledged%500 == 0 {
			fmt.Fprintln(os.Stderr, "acked", acknowledged)
		}
	}
	lines := json.NewDecoder(bufio.NewReader(input))
	for lines.More() {
		var l line
		if err := lines.Decode(&l); err != nil {
			return err
		}
		record := &kgo.Record{Topic: topic, Partition: l.Partition, Key: l.Key, Value: l.Value}
		client.Produce(context.Background(), record, delivered)
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "acked", acknowledged)
	return failed
}

func consume(bootstrap, topic string, count int) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	limit, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	lines, read := json.NewEncoder(output), 0
	for read < count {
		fetches := client.PollFetches(limit)
		if errors := fetches.Errors(); len(errors) > 0 {
			return fmt.Errorf("after %d of %d records: %v", read, count, errors[0].Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			_ = lines.Encode(line{r.Partition, r.Offset, r.Key, r.Value})
			read++
		})
	}
	return nil
}

func join(bootstrap, topic, group string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(6*time.Second),
		kgo.HeartbeatInterval(time.Second),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	ended, end := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		end()
	}()
	output := bufio.NewWriter(os.Stdout)
	lines := json.NewEncoder(output)
	for ended.Err() == nil {
		fetches := client.PollRecords(ended, 200)
		fetches.EachRecord(func(r *kgo.Record) {
			_ = lines.Encode(line{r.Partition, r.Offset, r.Key, r.Value})
		})
		if err := output.Flush(); err != nil {
			return err
		}
		// What was not committed comes again.
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return nil
}

func main() {
	var err error
	switch args := os.Args[1:]; args[0] {
	case "produce":
		err = produce(args[1], args[2], args[3], args[4])
	case "join":
		err = join(args[1], args[2], args[3])
	case "consume":
		count, _ := strconv.Atoi(args[3])
		err = consume(args[1], args[2], count)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
