// A verification plugin for Notation that does what AWS Signer's does, through the same client of the AWS SDK: it
// compares the ARN of the signing profile with the trusted identities, and asks GetRevocationStatus.
// Read: github.com/aws/aws-signer-notation-plugin, internal/verifier, at v1.0.350. That module is not on every proxy.
package main

import (
	"context"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/signer"
	"github.com/notaryproject/notation-plugin-framework-go/cli"
	"github.com/notaryproject/notation-plugin-framework-go/plugin"
)

const (
	profileAttribute = "com.amazonaws.signer.signingProfileVersion"
	jobAttribute     = "com.amazonaws.signer.signingJob"
	platform         = "Notation-OCI-SHA384-ECDSA"
)

type signerPlugin struct{}

func (signerPlugin) GetMetadata(context.Context, *plugin.GetMetadataRequest) (*plugin.GetMetadataResponse, error) {
	return &plugin.GetMetadataResponse{
		Name:                      "com.amazonaws.signer.notation.plugin",
		Description:               "AWS Signer's verification, for tests",
		Version:                   "1.0.0",
		URL:                       "https://docs.aws.amazon.com/signer",
		SupportedContractVersions: []string{plugin.ContractVersion},
		Capabilities:              []plugin.Capability{plugin.CapabilityTrustedIdentityVerifier, plugin.CapabilityRevocationCheckVerifier},
	}, nil
}

func (signerPlugin) VerifySignature(ctx context.Context, request *plugin.VerifySignatureRequest) (*plugin.VerifySignatureResponse, error) {
	attributes := request.Signature.CriticalAttributes.ExtendedAttributes
	profileVersion, _ := attributes[profileAttribute].(string)
	job, _ := attributes[jobAttribute].(string)
	results := map[plugin.Capability]*plugin.VerificationResult{}
	for _, capability := range request.TrustPolicy.SignatureVerification {
		switch capability {
		case plugin.CapabilityTrustedIdentityVerifier:
			results[capability] = trusted(request.TrustPolicy.TrustedIdentities, profileVersion)
		case plugin.CapabilityRevocationCheckVerifier:
			result, err := notRevoked(ctx, request, profileVersion, job)
			if err != nil {
				return nil, err
			}
			results[capability] = result
		}
	}
	return &plugin.VerifySignatureResponse{VerificationResults: results, ProcessedAttributes: []interface{}{profileAttribute, jobAttribute}}, nil
}

func trusted(identities []string, profileVersion string) *plugin.VerificationResult {
	profile := profileVersion[:max(strings.LastIndex(profileVersion, "/"), 0)]
	if slices.Contains(identities, profile) || slices.Contains(identities, profileVersion) {
		return &plugin.VerificationResult{Success: true}
	}
	return &plugin.VerificationResult{Reason: "Signature publisher doesn't match any trusted identities."}
}

func notRevoked(ctx context.Context, request *plugin.VerifySignatureRequest, profileVersion, job string) (*plugin.VerificationResult, error) {
	loaded, err := config.LoadDefaultConfig(ctx, config.WithRegion(request.PluginConfig["aws-region"]))
	if err != nil {
		return nil, plugin.NewGenericError(err.Error())
	}
	// The SDK puts "verification." before the host of this operation, as it does for AWS's plugin.
	endpoint := request.PluginConfig["aws-signer-endpoint-url"]
	client := signer.NewFromConfig(loaded, func(options *signer.Options) { options.BaseEndpoint = &endpoint })
	hashes, err := certificateHashes(request.Signature.CertificateChain)
	if err != nil {
		return nil, plugin.NewValidationError(err.Error())
	}
	name := platform
	answer, err := client.GetRevocationStatus(ctx, &signer.GetRevocationStatusInput{
		CertificateHashes:  hashes,
		JobArn:             &job,
		PlatformId:         &name,
		ProfileVersionArn:  &profileVersion,
		SignatureTimestamp: request.Signature.CriticalAttributes.AuthenticSigningTime,
	})
	if err != nil {
		return &plugin.VerificationResult{Reason: fmt.Sprintf("GetRevocationStatus call failed with error: %+v", err)}, nil
	}
	if len(answer.RevokedEntities) > 0 {
		return &plugin.VerificationResult{Reason: fmt.Sprintf("Resource(s) %s have been revoked.", strings.Join(answer.RevokedEntities, ", "))}, nil
	}
	return &plugin.VerificationResult{Success: true}, nil
}

func certificateHashes(chain [][]byte) ([]string, error) {
	own := make([]string, len(chain))
	for i, der := range chain {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		own[i] = fmt.Sprintf("%x", sha512.Sum384(certificate.RawTBSCertificate))
	}
	joined := make([]string, len(own))
	for i := range own {
		joined[i] = own[i] + own[min(i+1, len(own)-1)]
	}
	return joined, nil
}

func (signerPlugin) DescribeKey(context.Context, *plugin.DescribeKeyRequest) (*plugin.DescribeKeyResponse, error) {
	return nil, plugin.NewUnsupportedError("DescribeKey operation")
}

func (signerPlugin) GenerateSignature(context.Context, *plugin.GenerateSignatureRequest) (*plugin.GenerateSignatureResponse, error) {
	return nil, plugin.NewUnsupportedError("GenerateSignature operation")
}

func (signerPlugin) GenerateEnvelope(context.Context, *plugin.GenerateEnvelopeRequest) (*plugin.GenerateEnvelopeResponse, error) {
	return nil, plugin.NewUnsupportedError("GenerateEnvelope operation")
}

func main() {
	program, err := cli.New(signerPlugin{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program.Execute(context.Background(), os.Args)
}
