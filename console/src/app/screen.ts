import { type ComponentType, lazy } from 'react';

import { loadTopic, type Topic } from '../messages';
import type { ScreenParams } from './routes';

/** The screen that a module exports: its script, and the texts of its topic, are loaded when it is first shown. */
export function screen<Name extends string>(
  topic: Topic,
  load: () => Promise<Record<Name, ComponentType<ScreenParams>>>,
  name: Name,
): ComponentType<ScreenParams> {
  return lazy(async () => {
    const [module] = await Promise.all([load(), loadTopic(topic)]);
    const shown: ComponentType<ScreenParams> = module[name];
    return { default: shown };
  }) as ComponentType<ScreenParams>;
}
