import { I18nProvider } from '@cloudscape-design/components/i18n';

import { Lines } from '../components/Part';
import { componentMessages } from '../messages';
import { language } from './preferences';
import { session } from './session';
import { Shell } from './Shell';
import { SignIn } from './SignIn';
import { useStore } from './store';

export function App() {
  const chosen = useStore(language);
  const current = useStore(session);
  return (
    <I18nProvider locale={chosen} messages={componentMessages()}>
      {current === undefined ? <Lines count={8} /> : current.signedIn ? <Shell /> : <SignIn session={current} />}
    </I18nProvider>
  );
}
