"""The ECR endpoint: the operations of the ECR API. Handlers only translate; all rules are in `core`."""
