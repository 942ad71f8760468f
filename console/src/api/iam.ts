import { request } from './client';
import { ApiError, errorOf } from './errors';
import { bodyOf } from './session';

const VERSION = '2010-05-08';

interface OfUser {
  UserName: string;
}

interface OfRole {
  RoleName: string;
}

interface OfPolicy {
  PolicyArn: string;
}

interface OfKey extends OfUser {
  AccessKeyId: string;
}

interface OfInline {
  PolicyName: string;
}

interface OfProvider {
  OpenIDConnectProviderArn: string;
}

interface Paged {
  MaxItems?: number;
  Marker?: string | undefined;
}

type Page<Member extends string, T> = Partial<Record<Member, T[]>> & { Marker?: string | null };

export interface User {
  UserName: string;
  Path: string;
  Arn: string;
  /** Seconds since the Unix epoch, as all times. */
  CreateDate: number;
}

export interface Role {
  RoleName: string;
  Path: string;
  Arn: string;
  CreateDate: number;
  /** The trust policy, encoded; `decoded` returns its text. */
  AssumeRolePolicyDocument: string;
  Description?: string | null;
  /** Seconds. */
  MaxSessionDuration: number;
}

export interface Key {
  AccessKeyId: string;
  Status: 'Active' | 'Inactive';
  CreateDate: number;
}

export interface NewKey extends Key {
  SecretAccessKey: string;
}

export interface Policy {
  PolicyName: string;
  Arn: string;
  DefaultVersionId: string;
  AttachmentCount: number;
  UpdateDate: number;
  Description?: string | null;
}

export interface PolicyVersion {
  VersionId: string;
  IsDefaultVersion: boolean;
  CreateDate: number;
  /** Encoded; `decoded` returns its text. */
  Document?: string;
}

export interface AttachedPolicy {
  PolicyName: string;
  PolicyArn: string;
}

export interface Provider {
  Url: string;
  ClientIDList: string[];
  CreateDate: number;
}

/** A line and a column of a text, from 1. */
export interface Position {
  Line: number;
  Column: number;
}

export interface MatchedStatement {
  SourcePolicyId: string;
  SourcePolicyType: string;
  StartPosition?: Position;
  /** The place after the last character. */
  EndPosition?: Position;
}

export interface EvaluationResult {
  EvalActionName: string;
  EvalResourceName: string;
  EvalDecision: 'allowed' | 'explicitDeny' | 'implicitDeny';
  MatchedStatements: MatchedStatement[];
}

type Nothing = Record<string, never>;

/** Input and output of the operations that the console calls. */
export interface IamOperations {
  ListUsers: [Paged, Page<'Users', User>];
  GetUser: [OfUser, { User: User }];
  CreateUser: [OfUser & { Path?: string }, { User: User }];
  DeleteUser: [OfUser, Nothing];
  ListAccessKeys: [OfUser & Paged, Page<'AccessKeyMetadata', Key>];
  CreateAccessKey: [OfUser, { AccessKey: NewKey }];
  UpdateAccessKey: [OfKey & { Status: Key['Status'] }, Nothing];
  DeleteAccessKey: [OfKey, Nothing];
  GetAccessKeyLastUsed: [{ AccessKeyId: string }, { AccessKeyLastUsed: { LastUsedDate?: number } }];
  ListAttachedUserPolicies: [OfUser & Paged, Page<'AttachedPolicies', AttachedPolicy>];
  AttachUserPolicy: [OfUser & OfPolicy, Nothing];
  DetachUserPolicy: [OfUser & OfPolicy, Nothing];
  ListUserPolicies: [OfUser & Paged, Page<'PolicyNames', string>];
  GetUserPolicy: [OfUser & OfInline, { PolicyDocument: string }];
  PutUserPolicy: [OfUser & OfInline & { PolicyDocument: string }, Nothing];
  DeleteUserPolicy: [OfUser & OfInline, Nothing];
  ListRoles: [Paged, Page<'Roles', Role>];
  GetRole: [OfRole, { Role: Role }];
  CreateRole: [
    OfRole & { AssumeRolePolicyDocument: string; Path?: string; Description?: string; MaxSessionDuration?: number },
    { Role: Role },
  ];
  UpdateRole: [OfRole & { Description: string; MaxSessionDuration: number }, Nothing];
  UpdateAssumeRolePolicy: [OfRole & { PolicyDocument: string }, Nothing];
  DeleteRole: [OfRole, Nothing];
  ListAttachedRolePolicies: [OfRole & Paged, Page<'AttachedPolicies', AttachedPolicy>];
  AttachRolePolicy: [OfRole & OfPolicy, Nothing];
  DetachRolePolicy: [OfRole & OfPolicy, Nothing];
  ListRolePolicies: [OfRole & Paged, Page<'PolicyNames', string>];
  GetRolePolicy: [OfRole & OfInline, { PolicyDocument: string }];
  PutRolePolicy: [OfRole & OfInline & { PolicyDocument: string }, Nothing];
  DeleteRolePolicy: [OfRole & OfInline, Nothing];
  ListPolicies: [Paged & { Scope?: 'All' | 'AWS' | 'Local' }, Page<'Policies', Policy>];
  GetPolicy: [OfPolicy, { Policy: Policy }];
  CreatePolicy: [OfInline & { PolicyDocument: string; Path?: string; Description?: string }, { Policy: Policy }];
  DeletePolicy: [OfPolicy, Nothing];
  ListPolicyVersions: [OfPolicy & Paged, Page<'Versions', PolicyVersion>];
  GetPolicyVersion: [OfPolicy & { VersionId: string }, { PolicyVersion: PolicyVersion }];
  CreatePolicyVersion: [OfPolicy & { PolicyDocument: string; SetAsDefault: boolean }, { PolicyVersion: PolicyVersion }];
  SetDefaultPolicyVersion: [OfPolicy & { VersionId: string }, Nothing];
  DeletePolicyVersion: [OfPolicy & { VersionId: string }, Nothing];
  ListEntitiesForPolicy: [
    OfPolicy & Paged,
    Page<'PolicyUsers', OfUser> & Page<'PolicyRoles', OfRole>,
  ];
  ListOpenIDConnectProviders: [Nothing, { OpenIDConnectProviderList: { Arn: string }[] }];
  GetOpenIDConnectProvider: [OfProvider, Provider];
  CreateOpenIDConnectProvider: [{ Url: string; ClientIDList: string[] }, OfProvider];
  DeleteOpenIDConnectProvider: [OfProvider, Nothing];
  SimulatePrincipalPolicy: [
    { PolicySourceArn: string; ActionNames: string[]; ResourceArns?: string[] },
    { EvaluationResults: EvaluationResult[] },
  ];
}

/** Call an operation of IAM. */
export async function iam<Name extends keyof IamOperations>(
  operation: Name,
  input: IamOperations[Name][0],
  signal?: AbortSignal,
): Promise<IamOperations[Name][1]> {
  const form = new URLSearchParams({ Action: operation, Version: VERSION });
  append(form, '', input);
  const response = await request('/console/api/', {
    method: 'POST',
    // The header names the service, as the signature of other clients does. The form names the operation.
    headers: {
      Accept: 'application/json',
      'Content-Type': 'application/x-www-form-urlencoded',
      'X-Amz-Target': `iam.${operation}`,
    },
    body: form.toString(),
    signal: signal ?? null,
  });
  const body = await bodyOf(response);
  if (!response.ok) throw iamErrorOf(response.status, body);
  const outer = (body as Record<string, Record<string, unknown>>)[`${operation}Response`];
  return (outer?.[`${operation}Result`] ?? {});
}

/** The text of a policy in a response of IAM, which encodes it. */
export function decoded(document: string | undefined): string {
  return decodeURIComponent(document ?? '');
}

/** Write a member in the query protocol: `Tags.member.1.Key`. */
function append(form: URLSearchParams, name: string, value: unknown): void {
  if (value === undefined) return;
  if (Array.isArray(value)) {
    value.forEach((item, index) => append(form, `${name}.member.${index + 1}`, item));
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, one] of Object.entries(value)) append(form, name === '' ? key : `${name}.${key}`, one);
  } else {
    form.set(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
}

/** The error of a body `{"Error": {"Code": …, "Message": …}}`; other bodies come from the console's endpoint. */
function iamErrorOf(status: number, body: unknown): ApiError {
  const error = (body as { Error?: { Code?: string; Message?: string } } | undefined)?.Error;
  if (error?.Code === undefined) return errorOf(status, body);
  return new ApiError(error.Code, error.Message ?? '', status);
}
