// A peer over containerd/ttrpc, to see that Backfill's services and client speak its protocol.
//
//	peer call ADDRESS          makes calls to a scheduler; prints what came back as one JSON object
//	peer serve                 answers as a scheduler would; prints "listening ADDRESS"
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"
)

// wire lets containerd/ttrpc 1.1 send messages of google.golang.org/protobuf: it asks them to encode themselves.
type wire struct{ proto.Message }

func (w wire) Reset()                         { proto.Reset(w.Message) }
func (w wire) String() string                 { return fmt.Sprint(w.Message) }
func (w wire) ProtoMessage()                  {}
func (w wire) Marshal() ([]byte, error)       { return proto.Marshal(w.Message) }
func (w wire) Unmarshal(encoded []byte) error { return proto.Unmarshal(encoded, w.Message) }

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "call":
		err = call(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "serve":
		err = serve()
	default:
		err = fmt.Errorf("usage: peer call ADDRESS | peer serve")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
