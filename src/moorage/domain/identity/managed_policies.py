"""AWS managed policies for the services that are here (AWS managed policy reference).

AmazonEC2ContainerRegistryFullAccess also covers CloudTrail and service-linked roles; here it has only the ECR part.
SecretsManagerReadWrite also covers what rotation needs; here it has only the part of Secrets Manager. IAMFullAccess and
IAMReadOnlyAccess also cover organizations and reports. There is none for Signer.
"""

from __future__ import annotations

from typing import Final

_PULL_ONLY = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": [
      "ecr:GetAuthorizationToken",
      "ecr:BatchGetImage",
      "ecr:GetDownloadUrlForLayer",
      "ecr:BatchImportUpstreamImage"
    ],
    "Resource": "*"
  }]
}"""

_READ_ONLY = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": [
      "ecr:GetAuthorizationToken",
      "ecr:BatchCheckLayerAvailability",
      "ecr:GetDownloadUrlForLayer",
      "ecr:GetRepositoryPolicy",
      "ecr:DescribeRepositories",
      "ecr:ListImages",
      "ecr:DescribeImages",
      "ecr:BatchGetImage",
      "ecr:GetLifecyclePolicy",
      "ecr:GetLifecyclePolicyPreview",
      "ecr:ListTagsForResource",
      "ecr:DescribeImageScanFindings"
    ],
    "Resource": "*"
  }]
}"""

_POWER_USER = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": [
      "ecr:GetAuthorizationToken",
      "ecr:BatchCheckLayerAvailability",
      "ecr:GetDownloadUrlForLayer",
      "ecr:GetRepositoryPolicy",
      "ecr:DescribeRepositories",
      "ecr:ListImages",
      "ecr:DescribeImages",
      "ecr:BatchGetImage",
      "ecr:GetLifecyclePolicy",
      "ecr:GetLifecyclePolicyPreview",
      "ecr:ListTagsForResource",
      "ecr:DescribeImageScanFindings",
      "ecr:InitiateLayerUpload",
      "ecr:UploadLayerPart",
      "ecr:CompleteLayerUpload",
      "ecr:PutImage"
    ],
    "Resource": "*"
  }]
}"""

_FULL_ACCESS = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": "ecr:*",
    "Resource": "*"
  }]
}"""

_SECRETS = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": "secretsmanager:*",
    "Resource": "*"
  }]
}"""

_IAM = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": "iam:*",
    "Resource": "*"
  }]
}"""

_IAM_READ_ONLY = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": [
      "iam:Get*",
      "iam:List*",
      "iam:SimulateCustomPolicy",
      "iam:SimulatePrincipalPolicy"
    ],
    "Resource": "*"
  }]
}"""

_EVERYTHING = """{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": "*",
    "Resource": "*"
  }]
}"""

MANAGED_POLICIES: Final[dict[str, str]] = {
    "AmazonEC2ContainerRegistryPullOnly": _PULL_ONLY,
    "AmazonEC2ContainerRegistryReadOnly": _READ_ONLY,
    "AmazonEC2ContainerRegistryPowerUser": _POWER_USER,
    "AmazonEC2ContainerRegistryFullAccess": _FULL_ACCESS,
    "SecretsManagerReadWrite": _SECRETS,
    "IAMFullAccess": _IAM,
    "IAMReadOnlyAccess": _IAM_READ_ONLY,
    "AdministratorAccess": _EVERYTHING,
}
"""The documents by policy name."""
