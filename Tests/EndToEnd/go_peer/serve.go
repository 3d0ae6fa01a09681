package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	v1 "backfillpb/v1"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// answer makes a method of a function over messages.
func answer(request func() proto.Message, body func(context.Context, proto.Message) (proto.Message, error)) ttrpc.Method {
	return func(ctx context.Context, unmarshal func(interface{}) error) (interface{}, error) {
		message := request()
		if err := unmarshal(wire{message}); err != nil {
			return nil, err
		}
		response, err := body(ctx, message)
		if err != nil {
			return nil, err
		}
		return wire{response}, nil
	}
}

// ownErrors are those of Go's own by the end of an id; the library gives some of them a code.
var ownErrors = map[string]error{
	"5000": fmt.Errorf("an error of Go's own"),
	"5001": io.EOF,
	"5002": context.Canceled,
	"5003": context.DeadlineExceeded,
	"5004": os.ErrNotExist,
	"5005": os.ErrExist,
	"5006": os.ErrPermission,
}

// getBatch answers with what it was asked, and with errors for ids that end in the name of one.
func getBatch(ctx context.Context, message proto.Message) (proto.Message, error) {
	id := message.(*v1.GetBatchRequest).BatchId
	if strings.HasSuffix(id, "4040") {
		return nil, status.Error(codes.NotFound, "no such batch here")
	}
	if err, ok := ownErrors[id[len(id)-4:]]; ok {
		return nil, err
	}
	tenant, _ := ttrpc.GetMetadataValue(ctx, "tenant")
	request, _ := ttrpc.GetMetadataValue(ctx, "request-id")
	_, hasDeadline := ctx.Deadline()
	return &v1.GetBatchResponse{Batch: &v1.Batch{
		Id:       id,
		Endpoint: "/v1/embeddings",
		Status:   v1.BatchStatus_BATCH_STATUS_IN_PROGRESS,
		Metadata: map[string]string{
			"tenant": tenant, "has a request id": fmt.Sprint(request != ""), "has a deadline": fmt.Sprint(hasDeadline),
		},
		RequestCounts: &v1.RequestCounts{Total: 50000, Completed: 1, Failed: 2},
	}}, nil
}

func serve() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server, err := ttrpc.NewServer()
	if err != nil {
		return err
	}
	server.Register(batches, map[string]ttrpc.Method{
		"GetBatch": answer(func() proto.Message { return &v1.GetBatchRequest{} }, getBatch),
	})
	fmt.Printf("listening %s\n", listener.Addr())
	return server.Serve(context.Background(), listener)
}
