// Sends requests with large bodies, as docker, crane and containerd do, and reports what the client sees: the status of
// the answer, or the error of net/http. Reads one JSON object with a list of cases, and writes one.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
)

type testCase struct {
	Name    string
	Method  string
	URL     string
	Headers map[string]string
	Size    int64
	Times   int
}

// letters is a body of the letter x. net/http cannot find out its size, and cannot send it a second time.
type letters struct{}

func (letters) Read(buffer []byte) (int, error) {
	for i := range buffer {
		buffer[i] = 'x'
	}
	return len(buffer), nil
}

func seen(client *http.Client, one testCase) string {
	request, err := http.NewRequest(one.Method, one.URL, io.LimitReader(letters{}, one.Size))
	if err != nil {
		return err.Error()
	}
	request.ContentLength = one.Size
	for name, value := range one.Headers {
		request.Header.Set(name, value)
	}
	response, err := client.Do(request)
	if err != nil {
		return shown(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return "body: " + shown(err)
	}
	return strconv.Itoa(response.StatusCode)
}

// shown is the cause of an error, without the addresses of the connection.
func shown(err error) string {
	var failed *net.OpError
	if errors.As(err, &failed) {
		return failed.Op + ": " + failed.Err.Error()
	}
	return err.Error()
}

func main() {
	var cases []testCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	results := map[string]map[string]int{}
	client := &http.Client{}
	for _, one := range cases {
		counts := map[string]int{}
		for i := 0; i < one.Times; i++ {
			counts[seen(client, one)]++
		}
		results[one.Name] = counts
	}
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		panic(err)
	}
}
