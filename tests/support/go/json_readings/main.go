// What Go's encoding/json reads from JSON texts: one base64 text a line in, one JSON object a line out.
// The structs have the members of the OCI image specification, as Docker clients read them.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
)

type platform struct {
	Architecture string   `json:"architecture"`
	OS           string   `json:"os"`
	OSVersion    string   `json:"os.version"`
	OSFeatures   []string `json:"os.features"`
	Variant      string   `json:"variant"`
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls"`
	Annotations  map[string]string `json:"annotations"`
	Data         []byte            `json:"data"`
	Platform     *platform         `json:"platform"`
	ArtifactType string            `json:"artifactType"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *descriptor       `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Manifests     []descriptor      `json:"manifests"`
	Subject       *descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

type reading struct {
	Value         any       `json:"value"`
	ValueError    string    `json:"valueError"`
	Manifest      *manifest `json:"manifest"`
	ManifestError string    `json:"manifestError"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		text, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		var read reading
		numbers := json.NewDecoder(bytes.NewReader(text))
		numbers.UseNumber()
		if err := json.Unmarshal(text, new(any)); err != nil {
			read.ValueError = err.Error()
		} else if err := numbers.Decode(&read.Value); err != nil {
			read.ValueError = err.Error()
		}
		read.Manifest = &manifest{}
		if err := json.Unmarshal(text, read.Manifest); err != nil {
			read.ManifestError = err.Error()
		}
		if err := out.Encode(read); err != nil {
			panic(err)
		}
	}
}
