import '@cloudscape-design/global-styles/index.css';
import './components/console.css';

import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './app/App';
import { Down } from './app/Down';
import { applyPreferences } from './app/preferences';
import { begin } from './app/session';

const place = document.getElementById('root');
if (place === null) throw new Error('The page has no element for the console.');
const root = createRoot(place);

/** Show the console. If the server does not answer the first request, show that, and try again. */
async function start(): Promise<void> {
  const preferences = applyPreferences();
  try {
    await Promise.all([begin(), preferences]);
  } catch {
    root.render(<Down />);
    setTimeout(() => void start(), 5000);
    return;
  }
  root.render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}

void start();
