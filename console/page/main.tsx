/** Starts the page. */
import './language.ts';
import { render } from 'preact';
import { App } from './app.tsx';
import { SettingsProvider } from './settings.tsx';
import './style/console.css';

const root = document.getElementById('app');
if (root === null) throw new Error('Cannot show the page: it has no place for it');
render(
  <SettingsProvider>
    <App />
  </SettingsProvider>,
  root,
);
