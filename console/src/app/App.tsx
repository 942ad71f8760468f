import { I18nProvider } from '@cloudscape-design/components/i18n';
import { lazy, Suspense } from 'react';

import { Lines } from '../components/Part';
import { componentMessages } from '../messages';
import { language } from './preferences';
import { session } from './session';
import { useStore } from './store';

const Shell = lazy(async () => ({ default: (await import('./Shell')).Shell }));
const SignIn = lazy(async () => ({ default: (await import('./SignIn')).SignIn }));

export function App() {
  const chosen = useStore(language);
  const current = useStore(session);
  return (
    <I18nProvider locale={chosen} messages={componentMessages()}>
      <Suspense fallback={<Lines count={8} />}>
        {current === undefined ? <Lines count={8} /> : current.signedIn ? <Shell /> : <SignIn session={current} />}
      </Suspense>
    </I18nProvider>
  );
}
