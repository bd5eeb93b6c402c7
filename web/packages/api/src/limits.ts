/** Made from our OpenAPI document by `make api`: the limits of what requests may hold. */

export const BranchBody = {
  "message_id": {
    "maxLength": 40,
    "pattern": "^[0-9a-f]+$",
    "required": true
  },
  "text": {
    "minLength": 1,
    "maxLength": 100000
  }
} as const;

export const BundleBody = {
  "description": {
    "maxLength": 4000,
    "default": ""
  },
  "name": {
    "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$",
    "required": true
  },
  "prompts": {
    "maxItems": 50
  },
  "title": {
    "minLength": 1,
    "maxLength": 200,
    "required": true
  },
  "tools": {
    "maxItems": 20000
  }
} as const;

export const BundlePatch = {
  "description": {
    "maxLength": 4000
  },
  "prompts": {
    "maxItems": 50
  },
  "title": {
    "minLength": 1,
    "maxLength": 200
  },
  "tools": {
    "maxItems": 20000
  }
} as const;

export const CallIn = {
  "approval_id": {},
  "arguments": {}
} as const;

export const CompletionBody = {
  "function_call": {},
  "functions": {},
  "logprobs": {},
  "max_completion_tokens": {
    "minimum": 1
  },
  "max_tokens": {
    "minimum": 1
  },
  "messages": {
    "minItems": 1,
    "maxItems": 2000,
    "required": true
  },
  "modalities": {},
  "model": {
    "maxLength": 200,
    "required": true
  },
  "n": {},
  "response_format": {},
  "stop": {},
  "stream": {
    "default": false
  },
  "stream_options": {},
  "tool_choice": {},
  "tools": {}
} as const;

export const Credentials = {
  "password": {
    "maxLength": 256,
    "required": true
  },
  "username": {
    "maxLength": 64,
    "required": true
  }
} as const;

export const DecisionBody = {
  "arguments": {},
  "decision": {
    "values": [
      "approve",
      "edit",
      "decline"
    ],
    "required": true
  },
  "reason": {
    "maxLength": 500
  }
} as const;

export const DecisionIn = {
  "decision": {
    "values": [
      "approve",
      "decline"
    ],
    "required": true
  },
  "reason": {
    "maxLength": 500
  }
} as const;

export const DraftImport = {
  "publish": {
    "default": false
  },
  "select": {
    "maxItems": 20000
  }
} as const;

export const DraftPatch = {
  "allow_private": {},
  "base_url": {
    "maxLength": 2000
  },
  "bundle": {
    "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$"
  },
  "by_tag": {},
  "spec": {
    "minLength": 1,
    "maxLength": 100
  }
} as const;

export const ExposureBody = {
  "kind": {
    "values": [
      "all",
      "bundle",
      "tool"
    ],
    "required": true
  },
  "role": {
    "maxLength": 64,
    "required": true
  },
  "target": {
    "maxLength": 200,
    "default": ""
  }
} as const;

export const FeedbackBody = {
  "comment": {
    "maxLength": 2000
  },
  "rating": {
    "values": [
      "up",
      "down"
    ]
  }
} as const;

export const KeyBody = {
  "expires_at": {},
  "name": {
    "minLength": 1,
    "maxLength": 200,
    "required": true
  },
  "owner_id": {},
  "roles": {
    "maxItems": 32,
    "default": [
      "user"
    ],
    "items": {
      "maxLength": 64
    }
  },
  "scopes": {
    "maxItems": 200,
    "items": {
      "pattern": "^(tools|tool:\\S{1,200}|bundle:\\S{1,200})$"
    }
  }
} as const;

export const PasswordBody = {
  "password": {
    "maxLength": 256
  }
} as const;

export const PasswordChange = {
  "current": {
    "maxLength": 256,
    "required": true
  },
  "new": {
    "maxLength": 256,
    "required": true
  }
} as const;

export const ProfilePatch = {
  "preferences": {
    "required": true
  }
} as const;

export const PublishBody = {
  "version": {
    "minimum": 1,
    "required": true
  }
} as const;

export const ReplayBody = {
  "since": {}
} as const;

export const RoleBody = {
  "description": {
    "maxLength": 500,
    "default": ""
  },
  "name": {
    "pattern": "^[a-z][a-z0-9_-]{0,63}$",
    "required": true
  },
  "permissions": {
    "default": [],
    "items": {
      "values": [
        "tools:read",
        "tools:write",
        "approvals:read",
        "approvals:decide",
        "audit:read",
        "audit:export",
        "analytics:read",
        "keys:manage",
        "users:manage",
        "roles:manage",
        "policies:manage",
        "settings:read",
        "chat:use",
        "chat:read_all",
        "chat:export",
        "usage:read_all",
        "webhooks:manage",
        "profile:read"
      ]
    }
  }
} as const;

export const RolePatch = {
  "description": {
    "maxLength": 500
  },
  "permissions": {
    "items": {
      "values": [
        "tools:read",
        "tools:write",
        "approvals:read",
        "approvals:decide",
        "audit:read",
        "audit:export",
        "analytics:read",
        "keys:manage",
        "users:manage",
        "roles:manage",
        "policies:manage",
        "settings:read",
        "chat:use",
        "chat:read_all",
        "chat:export",
        "usage:read_all",
        "webhooks:manage",
        "profile:read"
      ]
    }
  }
} as const;

export const RotationBody = {
  "overlap_seconds": {
    "minimum": 0,
    "maximum": 2592000,
    "default": 86400
  }
} as const;

export const SendBody = {
  "client_id": {
    "minLength": 1,
    "maxLength": 200
  },
  "language": {
    "maxLength": 16,
    "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
  },
  "message": {
    "minLength": 1,
    "maxLength": 100000,
    "required": true
  },
  "model": {
    "maxLength": 200,
    "pattern": "^[\\w./:@ -]*$"
  },
  "session_id": {
    "minLength": 1,
    "maxLength": 200
  }
} as const;

export const SessionBody = {
  "language": {
    "maxLength": 16,
    "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
  },
  "metadata": {},
  "model": {
    "maxLength": 200,
    "pattern": "^[\\w./:@ -]*$"
  },
  "title": {
    "maxLength": 200,
    "default": ""
  }
} as const;

export const SessionPatch = {
  "archived": {},
  "language": {
    "maxLength": 16,
    "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
  },
  "metadata": {},
  "model": {
    "maxLength": 200,
    "pattern": "^[\\w./:@ -]*$"
  },
  "pinned": {},
  "title": {
    "minLength": 1,
    "maxLength": 200
  }
} as const;

export const ToolPatch = {
  "confirmation": {
    "values": [
      "required",
      "waived"
    ]
  },
  "description": {
    "minLength": 1,
    "maxLength": 8000
  },
  "enabled": {},
  "publish": {
    "default": false
  },
  "risk": {
    "values": [
      "read",
      "write",
      "privileged"
    ]
  },
  "title": {
    "minLength": 1,
    "maxLength": 200
  }
} as const;

export const TurnBody = {
  "again_id": {
    "pattern": "^[0-9a-f]{1,40}$"
  },
  "client_id": {
    "minLength": 1,
    "maxLength": 200
  },
  "edit_id": {
    "pattern": "^[0-9a-f]{1,40}$"
  },
  "parent_id": {
    "pattern": "^[0-9a-f]{1,40}$"
  },
  "text": {
    "minLength": 1,
    "maxLength": 100000
  }
} as const;

export const UserBody = {
  "display_name": {
    "minLength": 1,
    "maxLength": 200,
    "required": true
  },
  "email": {
    "maxLength": 254,
    "pattern": "^[^@\\s]+@[^@\\s]+$"
  },
  "password": {
    "maxLength": 256
  },
  "preferences": {},
  "roles": {
    "maxItems": 32,
    "default": [
      "user"
    ],
    "items": {
      "maxLength": 64
    }
  },
  "username": {
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$",
    "required": true
  }
} as const;

export const UserPatch = {
  "active": {},
  "display_name": {
    "minLength": 1,
    "maxLength": 200
  },
  "email": {
    "maxLength": 254,
    "pattern": "^[^@\\s]+@[^@\\s]+$"
  },
  "preferences": {},
  "roles": {
    "maxItems": 32,
    "items": {
      "maxLength": 64
    }
  }
} as const;

export const WebhookBody = {
  "allow_private": {
    "default": false
  },
  "description": {
    "maxLength": 500,
    "default": ""
  },
  "event_types": {
    "minItems": 1,
    "maxItems": 34,
    "items": {
      "values": [
        "tool.called",
        "tool.denied",
        "write.done",
        "approval.requested",
        "approval.decided",
        "run.started",
        "run.succeeded",
        "run.failed",
        "run.stopped",
        "run.interrupted",
        "document.imported",
        "bundle.created",
        "bundle.changed",
        "bundle.deleted",
        "bundle.published",
        "bundle.withdrawn",
        "tool.published",
        "tool.withdrawn",
        "tool.enabled",
        "tool.disabled",
        "tool.edited",
        "key.created",
        "key.rotated",
        "key.revoked",
        "user.created",
        "user.changed",
        "user.password_reset",
        "role.created",
        "role.changed",
        "role.deleted",
        "exposure.granted",
        "exposure.removed",
        "chat.exported",
        "audit.exported"
      ]
    },
    "required": true
  },
  "url": {
    "minLength": 1,
    "maxLength": 2000,
    "required": true
  }
} as const;

export const WebhookChange = {
  "active": {
    "default": true
  },
  "allow_private": {
    "default": false
  },
  "description": {
    "maxLength": 500,
    "default": ""
  },
  "event_types": {
    "minItems": 1,
    "maxItems": 34,
    "default": [],
    "items": {
      "values": [
        "tool.called",
        "tool.denied",
        "write.done",
        "approval.requested",
        "approval.decided",
        "run.started",
        "run.succeeded",
        "run.failed",
        "run.stopped",
        "run.interrupted",
        "document.imported",
        "bundle.created",
        "bundle.changed",
        "bundle.deleted",
        "bundle.published",
        "bundle.withdrawn",
        "tool.published",
        "tool.withdrawn",
        "tool.enabled",
        "tool.disabled",
        "tool.edited",
        "key.created",
        "key.rotated",
        "key.revoked",
        "user.created",
        "user.changed",
        "user.password_reset",
        "role.created",
        "role.changed",
        "role.deleted",
        "exposure.granted",
        "exposure.removed",
        "chat.exported",
        "audit.exported"
      ]
    }
  },
  "url": {
    "minLength": 1,
    "maxLength": 2000,
    "default": ""
  }
} as const;
