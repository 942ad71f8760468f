// notation_sign REGISTRY/REPOSITORY@DIGEST KEY CHAIN MEDIA_TYPE: sign an image as `notation sign` does, with a private key
// (PKCS #8) and its certificates in PEM, the signer's first, into an envelope of this media type.
package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/notaryproject/notation-go"
	notationregistry "github.com/notaryproject/notation-go/registry"
	"github.com/notaryproject/notation-go/signer"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	corex509 "github.com/notaryproject/notation-core-go/x509"
)

func main() {
	ctx, reference := context.Background(), os.Args[1]
	repository, err := remote.NewRepository(reference)
	check(err)
	repository.PlainHTTP = true
	repository.Client = &auth.Client{Credential: auth.StaticCredential(repository.Reference.Registry, auth.Credential{
		Username: os.Getenv("NOTATION_USERNAME"), Password: os.Getenv("NOTATION_PASSWORD")})}
	text, err := os.ReadFile(os.Args[2])
	check(err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	check(err)
	chain, err := corex509.ReadCertificateFile(os.Args[3])
	check(err)
	made, err := signer.NewGenericSigner(key, chain)
	check(err)
	descriptor, err := notation.Sign(ctx, made, notationregistry.NewRepository(repository), notation.SignOptions{
		ArtifactReference: reference,
		SignerSignOptions: notation.SignerSignOptions{SignatureMediaType: os.Args[4]},
	})
	check(err)
	fmt.Println("signed", descriptor.Digest)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
