// Command akeso-lab-service is the lab's only container image: the pause container, a small
// web service that can fail, crash or leak on demand, and a load generator that counts what
// its users would have seen.
package main

import (
	"fmt"
	"os"
)

const usage = `usage: akeso-lab-service COMMAND

  pause   hold a pod's namespaces and reap its orphans
  serve   answer HTTP on :8080; see serve.go for the environment variables
  load    send requests to a URL and count the answers (load -help)
`

func main() {
	commands := map[string]func([]string) error{"pause": pause, "serve": serve, "load": load}
	// containerd starts the sandbox image by its entrypoint, without arguments of ours.
	arguments := append(os.Args[1:], "")
	command, known := commands[arguments[0]]
	if !known {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err := command(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "akeso-lab-service:", err)
		os.Exit(1)
	}
}
