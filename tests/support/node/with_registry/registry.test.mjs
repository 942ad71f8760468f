import assert from "node:assert";
import test from "node:test";
import { CreateRepositoryCommand, DescribeRepositoriesCommand, ECRClient } from "@aws-sdk/client-ecr";

test("a new repository is found", async () => {
  const ecr = new ECRClient();
  await ecr.send(new CreateRepositoryCommand({ repositoryName: "team/node" }));

  const { repositories } = await ecr.send(new DescribeRepositoriesCommand({}));

  assert.deepEqual(
    repositories.map((each) => each.repositoryUri),
    [`${process.env.MOORAGE_REGISTRY}/team/node`],
  );
});
