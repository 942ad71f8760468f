import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

import { fontFiles } from './tools/font-files.ts';

/** Where a server that runs for development listens: `MOORAGE=http://127.0.0.1:5000 npm run dev`. */
const server = process.env.MOORAGE ?? 'http://127.0.0.1:5000';

const base = '/console/';

export default defineConfig({
  base,
  plugins: [react(), fontFiles(base)],
  build: {
    outDir: '../src/moorage/console/static',
    emptyOutDir: true,
    target: 'es2022',
    manifest: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    reportCompressedSize: false,
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(
      ['/console/api', '/console/session', '/console/sign-in', '/layers'].map((path) => [path, { target: server }]),
    ),
  },
  test: { environment: 'happy-dom', include: ['tests/**/*.test.{ts,tsx}'], restoreMocks: true },
});
