import type {
  CreateRepositoryCreationTemplateRequest,
  EncryptionConfigurationForRepositoryCreationTemplate,
  RepositoryCreationTemplate,
  Tag,
} from '../../api/ecr';
import { formatJson, jsonProblem } from '../../components/json';
import { type Mutability, mutabilityOf, mutabilitySettings } from '../../components/MutabilityFields';
import { areValidTags } from '../../components/TagsEditor';
import { PREFIX } from './upstreams';

export type AppliedFor = CreateRepositoryCreationTemplateRequest['appliedFor'][number];

export interface TemplateDraft {
  prefix: string;
  description: string;
  appliedFor: AppliedFor[];
  mutability: Mutability;
  encryption: EncryptionConfigurationForRepositoryCreationTemplate;
  tags: Tag[];
  repositoryPolicy: string;
  lifecyclePolicy: string;
  role: string;
}

export const EMPTY_TEMPLATE: TemplateDraft = {
  prefix: '',
  description: '',
  appliedFor: [],
  mutability: { immutable: false, exclusions: [] },
  encryption: { encryptionType: 'AES256' },
  tags: [],
  repositoryPolicy: '',
  lifecyclePolicy: '',
  role: '',
};

export function draftOf(template: RepositoryCreationTemplate): TemplateDraft {
  return {
    prefix: template.prefix ?? '',
    description: template.description ?? '',
    appliedFor: template.appliedFor ?? [],
    mutability: mutabilityOf(template),
    encryption: template.encryptionConfiguration ?? { encryptionType: 'AES256' },
    tags: template.resourceTags ?? [],
    repositoryPolicy: formatJson(template.repositoryPolicy ?? ''),
    lifecyclePolicy: formatJson(template.lifecyclePolicy ?? ''),
    role: template.customRoleArn ?? '',
  };
}

/** The input of the operations. All members are sent, because an update keeps the old value of absent ones. */
export function requestOf(draft: TemplateDraft, isNew: boolean): CreateRepositoryCreationTemplateRequest {
  const text = (name: string, value: string) => (isNew && value === '' ? {} : { [name]: value });
  return {
    prefix: draft.prefix,
    appliedFor: draft.appliedFor,
    ...mutabilitySettings(draft.mutability),
    encryptionConfiguration: draft.encryption,
    resourceTags: draft.tags,
    ...text('description', draft.description),
    ...text('repositoryPolicy', draft.repositoryPolicy),
    ...text('lifecyclePolicy', draft.lifecyclePolicy),
    ...text('customRoleArn', draft.role),
  };
}

export function isComplete(draft: TemplateDraft): boolean {
  const texts = [draft.repositoryPolicy, draft.lifecyclePolicy];
  return (
    PREFIX.test(draft.prefix) &&
    draft.appliedFor.length > 0 &&
    areValidTags(draft.tags) &&
    texts.every((text) => text.trim() === '' || jsonProblem(text) === undefined)
  );
}
