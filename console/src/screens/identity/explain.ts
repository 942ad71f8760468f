import { ecr } from '../../api/client';
import { isCode, isDenied } from '../../api/errors';
import { type EvaluationResult, iam, type MatchedStatement } from '../../api/iam';
import { attachedPolicies, type Entity, readInline, readPolicy } from './entity';
import { statementAt } from './statementAt';

/** What one usually asks, and the actions that this needs. */
export const QUESTIONS = {
  pull: ['ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
  push: [
    'ecr:BatchCheckLayerAvailability',
    'ecr:InitiateLayerUpload',
    'ecr:UploadLayerPart',
    'ecr:CompleteLayerUpload',
    'ecr:PutImage',
  ],
  delete: ['ecr:BatchDeleteImage'],
};

export type Question = keyof typeof QUESTIONS | 'other';

/** To push and to pull, a client signs in first; that is not about a repository. */
const SIGN_IN = 'ecr:GetAuthorizationToken';

export interface Asked {
  /** An ARN, or the name of a user or role. */
  who: string;
  kind: Entity['kind'];
  question: Question;
  /** The action of the question `other`. */
  action: string;
  /** The name of a repository, an ARN, or `*`. */
  resource: string;
}

/** Where one asks. */
export interface Where {
  account: string;
  region: string;
}

export interface Reason {
  /** The name of the policy; empty for that of the registry. */
  policy: string;
  /** What kind of policy it is, in IAM's words. */
  type: string;
  /** The statement; `undefined` if it could not be read. */
  statement: string | undefined;
}

/** Actions that were decided in the same way, for the same reasons. */
export interface Verdict {
  decision: EvaluationResult['EvalDecision'];
  actions: string[];
  reasons: Reason[];
}

/** Ask the server whether a user or role may do something. What is not allowed comes first, with the statements. */
export async function explain(asked: Asked, where: Where): Promise<Verdict[]> {
  const principal = await principalArn(asked, where.account);
  const resource = resourceArn(asked.resource, where);
  const actions = asked.question === 'other' ? [asked.action] : QUESTIONS[asked.question];
  const simulate = async (ActionNames: string[], ...ResourceArns: string[]) =>
    (await iam('SimulatePrincipalPolicy', { PolicySourceArn: principal, ActionNames, ResourceArns })).EvaluationResults;
  const results = await simulate(actions, resource);
  if (asked.question === 'push' || asked.question === 'pull') results.unshift(...(await simulate([SIGN_IN], '*')));
  return grouped(results, new Reader(principal));
}

/** The ARN of a user or role whose name was typed. Its path is in the ARN, so the server is asked. */
async function principalArn({ who, kind }: Asked, account: string): Promise<string> {
  if (who.startsWith('arn:')) return who;
  try {
    if (kind === 'user') return (await iam('GetUser', { UserName: who })).User.Arn;
    return (await iam('GetRole', { RoleName: who })).Role.Arn;
  } catch (error) {
    if (!isDenied(error)) throw error;
    return `arn:aws:iam::${account}:${kind}/${who}`; // Who may simulate may not have to see users: most have no path.
  }
}

function resourceArn(resource: string, { account, region }: Where): string {
  return resource === '*' || resource.startsWith('arn:') ? resource : `arn:aws:ecr:${region}:${account}:repository/${resource}`;
}

async function grouped(results: EvaluationResult[], reader: Reader): Promise<Verdict[]> {
  const verdicts = new Map<string, Verdict>();
  for (const { EvalActionName, EvalDecision, MatchedStatements } of results) {
    const reasons: Reason[] = [];
    for (const matched of MatchedStatements) reasons.push(await reader.reason(matched));
    const key = JSON.stringify([EvalDecision, reasons]);
    const verdict = verdicts.get(key) ?? { decision: EvalDecision, actions: [], reasons };
    verdict.actions.push(EvalActionName);
    verdicts.set(key, verdict);
  }
  return [...verdicts.values()].sort((one, other) => Number(one.decision === 'allowed') - Number(other.decision === 'allowed'));
}

/** Reads the policies of a user or role that decided, each once. */
class Reader {
  private readonly texts = new Map<string, Promise<string>>();
  private readonly entity: Entity;

  constructor(principal: string) {
    const name = principal.slice(principal.lastIndexOf('/') + 1);
    this.entity = { kind: principal.includes(':role/') ? 'role' : 'user', name };
  }

  async reason(matched: MatchedStatement): Promise<Reason> {
    const { SourcePolicyId: policy, SourcePolicyType: type, StartPosition: start, EndPosition: end } = matched;
    const key = `${type} ${policy}`;
    const reading = this.texts.get(key) ?? this.read(type, policy);
    this.texts.set(key, reading);
    try {
      return { policy, type, statement: statementAt(await reading, start, end) };
    } catch (error) {
      // Who may not read a policy still learns its name.
      if (!isDenied(error) && !isCode(error, 'NoSuchEntity')) throw error;
      return { policy, type, statement: undefined };
    }
  }

  private async read(type: string, policy: string): Promise<string> {
    if (type === 'user' || type === 'role') return readInline(this.entity, policy);
    if (type === 'resource' && policy === '') return (await ecr('GetRegistryPolicy', {})).policyText ?? '';
    if (type === 'resource') return (await ecr('GetRepositoryPolicy', { repositoryName: policy })).policyText ?? '';
    const { items } = await attachedPolicies(this.entity);
    const arn = items.find(({ PolicyName }) => PolicyName === policy)?.PolicyArn;
    return arn === undefined ? '' : (await readPolicy(arn)).text;
  }
}
