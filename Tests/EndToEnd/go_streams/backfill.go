package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"backfillpb/session"
	v1 "backfillpb/v1"
)

// chunkBytes is small, so that a body of a few MiB needs more credit than there is at first.
const chunkBytes = 64 << 10

// infer sends a file as `Inference.Infer` asks for it, gives credit for each chunk of the answer, and uses what it is given.
func infer(address string, file string) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	client, err := connect(address)
	if err != nil {
		return err
	}
	defer client.Close()
	stream, err := client.NewStream(context.Background(), bothWays, "backfill.v1.Inference", "Infer", nil)
	if err != nil {
		return err
	}
	head := &v1.InferHead{RequestClass: v1.RequestClass_REQUEST_CLASS_ONLINE, Model: "simulated-model",
		Path: "/v1/chat/completions", ContentBytes: uint64(len(body))}
	if err := stream.SendMsg(&v1.InferRequest{Part: &v1.InferRequest_Head{Head: head}}); err != nil {
		return err
	}
	messages, bytes := uint32(32), uint64(1<<20)
	sent, sequence := 0, uint64(0)
	answer, answerHead, chunks := []byte{}, &v1.InferAnswerHead{}, 0
	for {
		for sent < len(body) {
			next := body[sent:min(sent+chunkBytes, len(body))]
			if messages == 0 || bytes < uint64(len(next)) {
				break
			}
			chunk := &v1.InferChunk{Sequence: sequence, Data: next}
			if err := stream.SendMsg(&v1.InferRequest{Part: &v1.InferRequest_Chunk{Chunk: chunk}}); err != nil {
				return err
			}
			messages, bytes, sent, sequence = messages-1, bytes-uint64(len(next)), sent+len(next), sequence+1
		}
		response := &v1.InferResponse{}
		if err := stream.RecvMsg(response); err != nil {
			return json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
				"end": code(err), "status": answerHead.Status, "type": answerHead.ContentType, "body": string(answer),
				"chunks in order": chunks, "bytes sent": sent,
			})
		}
		if credit := response.GetCredit(); credit != nil {
			messages, bytes = messages+credit.Messages, bytes+credit.Bytes
		}
		if response.GetHead() != nil {
			answerHead = response.GetHead()
		}
		if chunk := response.GetChunk(); chunk != nil {
			if chunk.Sequence == uint64(chunks) {
				chunks++
			}
			answer = append(answer, chunk.Data...)
			credit := &v1.Credit{Messages: 1, Bytes: uint64(len(chunk.Data))}
			if err := stream.SendMsg(&v1.InferRequest{Part: &v1.InferRequest_Credit{Credit: credit}}); err != nil {
				return err
			}
		}
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func watch(address string) error {
	client, err := connect(address)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx := context.Background()
	stream, err := client.NewStream(ctx, fromServer, "backfill.session.v1.Session", "Watch", &session.WatchRequest{})
	if err != nil {
		return err
	}
	// An answer to a later call: the server has the stream.
	if err := client.Call(ctx, "backfill.session.v1.Session", "Health", &session.HealthRequest{}, &session.HealthResponse{}); err != nil {
		return err
	}
	fmt.Println("watching")
	for {
		notice := &session.WatchResponse{}
		if err := stream.RecvMsg(notice); err != nil {
			fmt.Println("end", code(err))
			return nil
		}
		fmt.Println("drain", notice.Drain.LastAcceptedStreamId)
		if notice.Drain.PingNonce != 0 {
			ping := &session.PingRequest{Nonce: notice.Drain.PingNonce}
			_ = client.Call(ctx, "backfill.session.v1.Session", "Ping", ping, &session.PingResponse{})
		}
	}
}
