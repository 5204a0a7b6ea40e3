// hello and echo with Go's own network poller, a goroutine for each connection.
//
// Build it:   go build go_server.go
// Run it:     ./go_server hello|echo [--threads N]
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
)

const readSize = 4096

func hello(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, readSize)
	answer := []byte("Hello world\n")
	for {
		if _, err := connection.Read(buffer); err != nil {
			return
		}
		if _, err := connection.Write(answer); err != nil {
			return
		}
	}
}

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, readSize)
	for {
		count, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:count]); err != nil {
			return
		}
	}
}

func main() {
	services := map[string]func(net.Conn){"hello": hello, "echo": echo}
	if len(os.Args) < 2 || services[os.Args[1]] == nil {
		log.Fatal("expected what to serve: hello or echo")
	}
	serve := services[os.Args[1]]
	flags := flag.NewFlagSet(os.Args[0], flag.ExitOnError)
	threads := flags.Int("threads", 1, "threads that run goroutines")
	flags.Parse(os.Args[2:])
	runtime.GOMAXPROCS(*threads)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Listening on", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection)
	}
}
