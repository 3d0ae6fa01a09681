package main

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"net"
	"os"
	"sync"
	"time"

	"backfillpb/session"
	v1 "backfillpb/v1"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	files   = "backfill.v1.Files"
	batches = "backfill.v1.Batches"
	line    = `{"custom_id":"from-go","method":"POST","url":"/v1/embeddings","body":{"model":"simulated-model","input":"x"}}`
)

type caller struct {
	client *ttrpc.Client
}

func (c caller) call(service, method string, request, response proto.Message) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ctx = ttrpc.WithMetadata(ctx, ttrpc.MD{"tenant": []string{"default"}, "idempotency-key": []string{"a-go-key"}})
	return c.client.Call(ctx, service, method, wire{request}, wire{response})
}

// code is the name of an error's status code.
func code(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Code().String()
	}
	return codes.Unknown.String() + ": " + err.Error()
}

func call(address string) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	peer := caller{ttrpc.NewClient(connection)}
	defer peer.client.Close()
	found := map[string]interface{}{}

	health := &session.HealthResponse{}
	if err := peer.call("backfill.session.v1.Session", "Health", &session.HealthRequest{}, health); err != nil {
		return err
	}
	found["health"] = health.Status.String()
	found["unknown service"] = code(peer.call("backfill.v1.Nothing", "Get", &v1.GetBatchRequest{}, &v1.Batch{}))
	found["unknown method"] = code(peer.call(batches, "Nothing", &v1.GetBatchRequest{}, &v1.Batch{}))
	found["unknown batch"] = code(peer.call(
		batches, "GetBatch", &v1.GetBatchRequest{BatchId: "batch_00000000000000000000000000000000"}, &v1.Batch{}))

	file, err := peer.upload([]byte(line + "\n"))
	if err != nil {
		return err
	}
	found["file"] = file
	created := &v1.CreateBatchResponse{}
	request := &v1.CreateBatchRequest{InputFileId: file, Endpoint: "/v1/embeddings", CompletionWindow: "24h"}
	if err := peer.call(batches, "CreateBatch", request, created); err != nil {
		return err
	}
	found["batch"] = created.Batch.Id
	again := &v1.CreateBatchResponse{}
	if err := peer.call(batches, "CreateBatch", request, again); err != nil {
		return err
	}
	found["the same batch under one key"] = again.Batch.Id == created.Batch.Id
	ended, err := peer.end(created.Batch.Id)
	if err != nil {
		return err
	}
	found["status"] = ended.Status.String()
	read := &v1.ReadFileResponse{}
	if err := peer.call(files, "ReadFile", &v1.ReadFileRequest{FileId: ended.OutputFileId, MaximumBytes: 1 << 18}, read); err != nil {
		return err
	}
	found["output"] = string(read.Data)
	found["wrong answers of 1000 calls at a time"] = peer.together(ended.Id, 1000)
	return json.NewEncoder(os.Stdout).Encode(found)
}

func (c caller) upload(content []byte) (string, error) {
	begun := &v1.BeginUploadResponse{}
	if err := c.call(files, "BeginUpload", &v1.BeginUploadRequest{Purpose: "batch"}, begun); err != nil {
		return "", err
	}
	checksum := crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli))
	chunk := &v1.WriteChunkRequest{UploadId: begun.UploadId, Data: content, Crc32C: checksum}
	if err := c.call(files, "WriteChunk", chunk, &v1.WriteChunkResponse{}); err != nil {
		return "", err
	}
	completed := &v1.CompleteUploadResponse{}
	request := &v1.CompleteUploadRequest{
		UploadId: begun.UploadId, Filename: "go.jsonl", Purpose: "batch", Bytes: uint64(len(content)),
	}
	if err := c.call(files, "CompleteUpload", request, completed); err != nil {
		return "", err
	}
	return completed.File.Id, nil
}

// end waits until a batch is terminal.
func (c caller) end(id string) (*v1.Batch, error) {
	for {
		got := &v1.GetBatchResponse{}
		if err := c.call(batches, "GetBatch", &v1.GetBatchRequest{BatchId: id}, got); err != nil {
			return nil, err
		}
		switch got.Batch.Status {
		case v1.BatchStatus_BATCH_STATUS_COMPLETED, v1.BatchStatus_BATCH_STATUS_FAILED,
			v1.BatchStatus_BATCH_STATUS_EXPIRED, v1.BatchStatus_BATCH_STATUS_CANCELLED:
			return got.Batch, nil
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// together makes calls at the same time on one connection and counts those with a wrong answer.
func (c caller) together(id string, calls int) int {
	wrong := make(chan int, calls)
	var group sync.WaitGroup
	for n := 0; n < calls; n++ {
		group.Add(1)
		go func() {
			defer group.Done()
			got := &v1.GetBatchResponse{}
			if err := c.call(batches, "GetBatch", &v1.GetBatchRequest{BatchId: id}, got); err != nil || got.Batch.Id != id {
				wrong <- 1
			}
		}()
	}
	group.Wait()
	return len(wrong)
}
