import Modal from '@cloudscape-design/components/modal';

import { formatJson } from '../../components/json';
import { JsonEditor } from '../../components/JsonEditor';

/** A document of the server, opened when somebody asks for it. */
export function JsonDialog({ title, text, onClose }: { title: string; text: string; onClose: () => void }) {
  return (
    <Modal visible size="large" header={title} onDismiss={onClose}>
      <JsonEditor label={title} value={formatJson(text)} readOnly />
    </Modal>
  );
}
