package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"

	v1 "backfillpb/v1"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// checked is the error that the key asks for.
func checked(message *ttrpc.KeyValue) error {
	if message.Key == "fail" {
		return status.Error(codes.Aborted, "as asked")
	}
	return nil
}

func echo(_ context.Context, unmarshal func(interface{}) error) (interface{}, error) {
	message := &ttrpc.KeyValue{}
	if err := unmarshal(message); err != nil {
		return nil, err
	}
	return message, checked(message)
}

func count(_ context.Context, stream ttrpc.StreamServer) (interface{}, error) {
	request := &ttrpc.KeyValue{}
	if err := stream.RecvMsg(request); err != nil {
		return nil, err
	}
	wanted, err := strconv.Atoi(request.Value)
	if err != nil {
		return nil, err
	}
	for n := 0; n < wanted; n++ {
		if err := stream.SendMsg(&ttrpc.KeyValue{Key: strconv.Itoa(n)}); err != nil {
			return nil, err
		}
	}
	return nil, checked(request)
}

func sum(_ context.Context, stream ttrpc.StreamServer) (interface{}, error) {
	found, bytes := 0, 0
	for {
		message := &ttrpc.KeyValue{}
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return &ttrpc.KeyValue{Key: strconv.Itoa(found), Value: strconv.Itoa(bytes)}, nil
		} else if err != nil {
			return nil, err
		}
		if err := checked(message); err != nil {
			return nil, err
		}
		found++
		bytes += len(message.Key) + len(message.Value)
	}
}

func mirror(_ context.Context, stream ttrpc.StreamServer) (interface{}, error) {
	for {
		message := &ttrpc.KeyValue{}
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		if err := checked(message); err != nil {
			return nil, err
		}
		if err := stream.SendMsg(message); err != nil {
			return nil, err
		}
		if message.Key == "end" {
			return nil, nil
		}
	}
}

// answerInference takes the body of a request to its end, then sends it back as three events, under the caller's credit.
func answerInference(_ context.Context, stream ttrpc.StreamServer) (interface{}, error) {
	head := &v1.InferRequest{}
	if err := stream.RecvMsg(head); err != nil {
		return nil, err
	}
	body := []byte{}
	for uint64(len(body)) < head.GetHead().GetContentBytes() {
		part := &v1.InferRequest{}
		if err := stream.RecvMsg(part); err != nil {
			return nil, err
		}
		body = append(body, part.GetChunk().GetData()...)
		credit := &v1.Credit{Messages: 1, Bytes: uint64(len(part.GetChunk().GetData()))}
		if err := stream.SendMsg(&v1.InferResponse{Part: &v1.InferResponse_Credit{Credit: credit}}); err != nil {
			return nil, err
		}
	}
	answer := &v1.InferAnswerHead{Status: 200, ContentType: "text/event-stream"}
	if err := stream.SendMsg(&v1.InferResponse{Part: &v1.InferResponse_Head{Head: answer}}); err != nil {
		return nil, err
	}
	events := []string{fmt.Sprintf("data: {\"bytes\":%d}\n\n", len(body)), "data: {\"model\":\"" + head.GetHead().Model + "\"}\n\n",
		"data: [DONE]\n\n"}
	for n, event := range events {
		chunk := &v1.InferChunk{Sequence: uint64(n), Data: []byte(event)}
		if err := stream.SendMsg(&v1.InferResponse{Part: &v1.InferResponse_Chunk{Chunk: chunk}}); err != nil {
			return nil, err
		}
	}
	return nil, nil
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
	server.RegisterService("interop.v1.Streams", &ttrpc.ServiceDesc{
		Methods: map[string]ttrpc.Method{"Echo": echo},
		Streams: map[string]ttrpc.Stream{
			"Count":  {Handler: count, StreamingServer: true},
			"Sum":    {Handler: sum, StreamingClient: true},
			"Mirror": {Handler: mirror, StreamingClient: true, StreamingServer: true},
		},
	})
	server.RegisterService("backfill.v1.Inference", &ttrpc.ServiceDesc{
		Streams: map[string]ttrpc.Stream{
			"Infer": {Handler: answerInference, StreamingClient: true, StreamingServer: true},
		},
	})
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(context.Background(), listener)
}
