// notation_verify REGISTRY/REPOSITORY@DIGEST [NAME=VALUE]...: verify with the trust store, the trust policy and the
// plugins of $XDG_CONFIG_HOME/notation; the pairs are the configuration of plugins, as `notation verify --plugin-config`.
// The Notary Project's own library, as a test client. Exit code 1: not verified, with the reason.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/notaryproject/notation-go"
	notationregistry "github.com/notaryproject/notation-go/registry"
	"github.com/notaryproject/notation-go/verifier"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

func main() {
	ctx, reference := context.Background(), os.Args[1]
	repository, err := remote.NewRepository(reference)
	check(err)
	repository.PlainHTTP = true
	repository.Client = &auth.Client{Credential: auth.StaticCredential(repository.Reference.Registry, auth.Credential{
		Username: os.Getenv("NOTATION_USERNAME"), Password: os.Getenv("NOTATION_PASSWORD")})}
	configuration := map[string]string{}
	for _, pair := range os.Args[2:] {
		name, value, _ := strings.Cut(pair, "=")
		configuration[name] = value
	}
	trusted, err := verifier.NewFromConfig()
	check(err)
	descriptor, outcomes, err := notation.Verify(ctx, trusted, notationregistry.NewRepository(repository),
		notation.VerifyOptions{ArtifactReference: reference, MaxSignatureAttempts: 20, PluginConfig: configuration})
	check(err)
	fmt.Println("verified", descriptor.Digest, len(outcomes))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
