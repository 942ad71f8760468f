/** An error that an operation returned, as ECR returns it. */
export class ApiError extends Error {
  constructor(
    /** The name of the error, for example `RepositoryNotFoundException`. */
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** The server is down, does not answer, or drains before a stop. */
export class Unavailable extends Error {
  constructor(
    /** Seconds after which to try again. */
    readonly retryAfter: number,
  ) {
    super('The server is not available.');
    this.name = 'Unavailable';
  }
}

/** The server was updated since this page was loaded. */
export class NewerBuild extends Error {
  constructor() {
    super('The server has a newer build of the console.');
    this.name = 'NewerBuild';
  }
}

export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof ApiError && codes.includes(error.code);
}

export function isDenied(error: unknown): error is ApiError {
  return error instanceof ApiError && error.code.startsWith('AccessDenied');
}

/** The action whose permission is missing, for example `ecr:DescribeImages`, if the message names it. */
export function missingAction(error: ApiError): string | undefined {
  return /not authorized to perform: ([a-z0-9-]+:\w+)/i.exec(error.message)?.[1];
}

/** The error of a body `{"__type": …, "message": …}`. The type may have a namespace before `#`. */
export function errorOf(status: number, body: unknown): ApiError {
  const fields = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const type = typeof fields.__type === 'string' ? fields.__type : `Status${status}`;
  const message = fields.message ?? fields.Message;
  return new ApiError(type.replace(/^.*#/, ''), typeof message === 'string' ? message : '', status);
}
