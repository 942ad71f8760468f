package images

import (
	"context"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

func TestAPushedImageIsDescribed(t *testing.T) {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	client := ecr.NewFromConfig(cfg)
	_, err = client.CreateRepository(context.Background(), &ecr.CreateRepositoryInput{RepositoryName: aws.String("team/go")})
	if err != nil {
		t.Fatal(err)
	}

	image, err := random.Image(1024, 1)
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(os.Getenv("MOORAGE_REGISTRY")+"/team/go:v1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, image, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		t.Fatal(err)
	}

	described, err := client.DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: aws.String("team/go")})
	if err != nil {
		t.Fatal(err)
	}
	if tags := described.ImageDetails[0].ImageTags; len(tags) != 1 || tags[0] != "v1" {
		t.Fatalf("tags are %v", tags)
	}
}
