package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/status"
)

const streams = "interop.v1.Streams"

var (
	fromServer = &ttrpc.StreamDesc{StreamingServer: true}
	fromClient = &ttrpc.StreamDesc{StreamingClient: true}
	bothWays   = &ttrpc.StreamDesc{StreamingClient: true, StreamingServer: true}
)

type caller struct {
	client *ttrpc.Client
	ctx    context.Context
}

// code is how a call has ended.
func code(err error) string {
	if err == nil || errors.Is(err, io.EOF) {
		return "ok"
	}
	return status.Convert(err).Code().String()
}

func connect(address string) (*ttrpc.Client, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return ttrpc.NewClient(connection), nil
}

func call(address string) error {
	client, err := connect(address)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := caller{client, ctx}
	answer := &ttrpc.KeyValue{}
	if err := client.Call(ctx, streams, "Echo", &ttrpc.KeyValue{Key: "k", Value: "v"}, answer); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]string{
		"echo":                            answer.Value,
		"server stream":                   c.count("", 5000),
		"server stream of nothing":        c.count("", 0),
		"server stream that fails":        c.count("fail", 3),
		"client stream":                   c.sum(3000, &ttrpc.KeyValue{Key: "12", Value: "345"}),
		"client stream of nothing":        c.sum(0, nil),
		"client stream of empty messages": c.sum(10, &ttrpc.KeyValue{}),
		"client stream that fails":        c.sum(1, &ttrpc.KeyValue{Key: "fail"}),
		"both ways in turns":              c.turns(500),
		"both ways at once":               c.together(5000),
		"both ways, ended by the server":  c.one("end"),
		"both ways, failed":               c.one("fail"),
		"200 streams at once":             c.manyAtOnce(200),
	})
}

func (c caller) count(key string, wanted int) string {
	stream, err := c.client.NewStream(c.ctx, fromServer, streams, "Count", &ttrpc.KeyValue{Key: key, Value: strconv.Itoa(wanted)})
	if err != nil {
		return code(err)
	}
	inOrder := 0
	for {
		message := &ttrpc.KeyValue{}
		if err := stream.RecvMsg(message); err != nil {
			return fmt.Sprint(inOrder, " ", code(err))
		}
		if message.Key == strconv.Itoa(inOrder) {
			inOrder++
		}
	}
}

func (c caller) sum(count int, message *ttrpc.KeyValue) string {
	stream, err := c.client.NewStream(c.ctx, fromClient, streams, "Sum", nil)
	if err != nil {
		return code(err)
	}
	for n := 0; n < count; n++ {
		if err := stream.SendMsg(message); err != nil {
			return code(err)
		}
	}
	if err := stream.CloseSend(); err != nil {
		return code(err)
	}
	answer := &ttrpc.KeyValue{}
	if err := stream.RecvMsg(answer); err != nil {
		return code(err)
	}
	return answer.Key + " " + answer.Value
}

func (c caller) turns(count int) string {
	stream, err := c.client.NewStream(c.ctx, bothWays, streams, "Mirror", nil)
	if err != nil {
		return code(err)
	}
	for n := 0; n < count; n++ {
		answer := &ttrpc.KeyValue{}
		if err := stream.SendMsg(&ttrpc.KeyValue{Key: strconv.Itoa(n)}); err != nil {
			return code(err)
		}
		if err := stream.RecvMsg(answer); err != nil || answer.Key != strconv.Itoa(n) {
			return fmt.Sprint("wrong at ", n, " ", code(err))
		}
	}
	if err := stream.CloseSend(); err != nil {
		return code(err)
	}
	return fmt.Sprint(count, " ", code(stream.RecvMsg(&ttrpc.KeyValue{})))
}

func (c caller) together(count int) string {
	stream, err := c.client.NewStream(c.ctx, bothWays, streams, "Mirror", nil)
	if err != nil {
		return code(err)
	}
	go func() {
		for n := 0; n < count; n++ {
			if stream.SendMsg(&ttrpc.KeyValue{Key: strconv.Itoa(n), Value: "x"}) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	inOrder := 0
	for {
		message := &ttrpc.KeyValue{}
		if err := stream.RecvMsg(message); err != nil {
			return fmt.Sprint(inOrder, " ", code(err))
		}
		if message.Key == strconv.Itoa(inOrder) {
			inOrder++
		}
	}
}

// one sends one message both ways and reads to the end.
func (c caller) one(key string) string {
	stream, err := c.client.NewStream(c.ctx, bothWays, streams, "Mirror", nil)
	if err != nil {
		return code(err)
	}
	if err := stream.SendMsg(&ttrpc.KeyValue{Key: key}); err != nil {
		return code(err)
	}
	found := 0
	for {
		if err := stream.RecvMsg(&ttrpc.KeyValue{}); err != nil {
			return fmt.Sprint(found, " ", code(err))
		}
		found++
	}
}

func (c caller) manyAtOnce(count int) string {
	var group sync.WaitGroup
	right := make(chan bool, count)
	for n := 0; n < count; n++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if c.turns(10) == "10 ok" {
				right <- true
			}
		}()
	}
	group.Wait()
	return fmt.Sprint(len(right), " ok")
}
