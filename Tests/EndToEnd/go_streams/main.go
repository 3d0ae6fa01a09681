// A peer with streams over containerd/ttrpc 1.2.
//
//	streams serve                   serves interop.v1.Streams and, as an engine would, backfill.v1.Inference; prints its port
//	streams call ADDRESS            calls interop.v1.Streams; prints what it found as one JSON object
//	streams infer ADDRESS FILE      sends a file as a request to a scheduler's Inference; prints the answer likewise
//	streams watch ADDRESS           prints a line once it watches, then one for each notice of a drain, then the end
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		err = serve()
	case len(os.Args) == 3 && os.Args[1] == "call":
		err = call(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "infer":
		err = infer(os.Args[2], os.Args[3])
	case len(os.Args) == 3 && os.Args[1] == "watch":
		err = watch(os.Args[2])
	default:
		err = fmt.Errorf("usage: streams serve | call ADDRESS | infer ADDRESS FILE | watch ADDRESS")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
