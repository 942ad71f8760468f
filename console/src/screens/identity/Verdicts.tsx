import Alert from '@cloudscape-design/components/alert';
import Box from '@cloudscape-design/components/box';
import SpaceBetween from '@cloudscape-design/components/space-between';
import StatusIndicator from '@cloudscape-design/components/status-indicator';

import { Name } from '../../components/Name';
import { nameOf, t } from '../../messages';
import type { Asked, Reason, Verdict } from './explain';

/** An answer in words: whether all of it is allowed, and for each action the statement that decided. */
export function Verdicts({ asked, verdicts }: { asked: Asked; verdicts: Verdict[] }) {
  const allowed = verdicts.every(({ decision }) => decision === 'allowed');
  const names = { who: asked.who, resource: asked.resource };
  return (
    <div role="status">
      <SpaceBetween size="m">
        <Alert type={allowed ? 'success' : 'warning'}>
          <Name>{t(allowed ? 'explain.yes' : 'explain.no', names)}</Name>
        </Alert>
        {verdicts.map((verdict) => (
          <SpaceBetween key={verdict.actions.join(' ')} size="xxs">
            <StatusIndicator type={verdict.decision === 'allowed' ? 'success' : 'error'}>
              {t(`explain.decision.${verdict.decision}`)}
            </StatusIndicator>
            <div className="code">{verdict.actions.join(', ')}</div>
            {verdict.reasons.length === 0 ? (
              <Box color="text-body-secondary">{t(`explain.without.${verdict.decision}`)}</Box>
            ) : (
              verdict.reasons.map((reason) => <Because key={`${reason.type} ${reason.policy}`} reason={reason} />)
            )}
          </SpaceBetween>
        ))}
      </SpaceBetween>
    </div>
  );
}

function Because({ reason }: { reason: Reason }) {
  return (
    <SpaceBetween size="xxs">
      <Box color="text-body-secondary">
        {t('explain.by')} {nameOf('explain.source', reason.type === 'resource' && reason.policy === '' ? 'registry' : reason.type)}{' '}
        {reason.policy !== '' && <Name>{reason.policy}</Name>}
      </Box>
      {reason.statement === undefined ? (
        <Box color="text-body-secondary">{t('explain.noStatement')}</Box>
      ) : (
        <pre className="code">{reason.statement}</pre>
      )}
    </SpaceBetween>
  );
}
