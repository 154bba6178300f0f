"""The methods of the Bot API, as they act on the world."""

import re
from typing import Any

from tests.fakes.telegram_files import LARGEST_FOR_BOTS
from tests.fakes.telegram_limits import ApiError, checked_draft, checked_version
from tests.fakes.telegram_world import BOT, NEVER_MET, Chat, ChatMessage, Draft, World

NOT_MODIFIED = (
    "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a "
    "current content and reply markup of the message"
)


class Methods:
    """Answers one call at a time. `unknown` are methods that this server does not have."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.unknown: set[str] = set()

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        """Carry a call out. Raises ApiError for what Telegram refuses."""
        known = {
            "getme": lambda p: {**BOT, "can_join_groups": True, "can_read_all_group_messages": False},
            "setmycommands": self._set_my_commands,
            "getmycommands": lambda p: self.world.menus.get(_scope(p), []),
            "sendmessage": self._send_message,
            "sendmessagedraft": self._send_message_draft,
            "editmessagetext": self._edit_message,
            "deletemessage": self._delete_message,
            "sendchataction": self._send_chat_action,
            "answercallbackquery": self._answer_callback_query,
            "getfile": self._get_file,
        }
        if method not in known or method in self.unknown:
            raise ApiError(404, "Not Found")
        with self.world.lock:
            return known[method](params)

    def _get_file(self, params: dict[str, Any]) -> dict[str, Any]:
        kept = self.world.files.by_id.get(str(params.get("file_id")))
        if kept is None:
            raise ApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if max(kept.told_size or 0, len(kept.data)) > LARGEST_FOR_BOTS:
            raise ApiError(400, "Bad Request: file is too big")
        size = {} if kept.told_size is None else {"file_size": kept.told_size}
        return {"file_id": kept.id, "file_unique_id": f"u{kept.id}", "file_path": kept.path, **size}

    def _set_my_commands(self, params: dict[str, Any]) -> bool:
        for row in params["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", row["command"]) or not 1 <= len(row["description"]) <= 256:
                raise ApiError(400, "Bad Request: BOT_COMMAND_INVALID")
        if len(params["commands"]) > 100:
            raise ApiError(400, "Bad Request: BOT_COMMANDS_TOO_MUCH")
        self.world.menus[_scope(params)] = params["commands"]
        return True

    def _chat(self, params: dict[str, Any]) -> Chat:
        number = int(params["chat_id"])
        chat = self.world.chats.get(number)
        if chat is None:
            met = number in self.world.people
            raise ApiError(403, NEVER_MET) if met else ApiError(400, "Bad Request: chat not found")
        if chat.refusal is not None:
            raise ApiError(403, chat.refusal)
        thread = params.get("message_thread_id")
        if thread is not None and int(thread) not in chat.topics:
            raise ApiError(400, "Bad Request: message thread not found")
        return chat

    def _send_message(self, params: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(params)
        version = checked_version(params.get("text"), params.get("entities"), params.get("reply_markup"))
        reply = params.get("reply_parameters") or {}
        target = self._find(chat, reply.get("message_id"))
        if reply and target is None and not reply.get("allow_sending_without_reply"):
            raise ApiError(400, "Bad Request: message to be replied not found")
        chat.draft = None
        return self.world.put(chat, BOT, version, _thread(params), target).as_json()

    def _send_message_draft(self, params: dict[str, Any]) -> bool:
        chat = self._chat(params)
        number = int(params.get("draft_id") or 0)
        if number == 0:
            raise ApiError(400, "Bad Request: draft identifier must be non-zero")
        shown = checked_draft(params.get("text"), params.get("entities"))
        if chat.type != "private":
            raise ApiError(400, "Bad Request: TEXTDRAFT_PEER_INVALID")
        chat.draft = Draft(number, shown, _thread(params))
        chat.drafts.append(chat.draft)
        return True

    def _edit_message(self, params: dict[str, Any]) -> dict[str, Any]:
        message = self._find(self._chat(params), params["message_id"])
        if message is None:
            raise ApiError(400, "Bad Request: message to edit not found")
        if not message.by_bot or message.history[-1].prompt is not None:
            raise ApiError(400, "Bad Request: message can't be edited")
        version = checked_version(params.get("text"), params.get("entities"), params.get("reply_markup"))
        if version.prompt is not None:
            raise ApiError(400, "Bad Request: inline keyboard expected")
        if version == message.history[-1]:
            raise ApiError(400, NOT_MODIFIED)
        message.history.append(version)
        return message.as_json()

    def _delete_message(self, params: dict[str, Any]) -> bool:
        chat = self._chat(params)
        message = self._find(chat, params["message_id"])
        if message is None:
            raise ApiError(400, "Bad Request: message to delete not found")
        if not (message.by_bot or chat.type == "private" or chat.may_delete):
            raise ApiError(400, "Bad Request: message can't be deleted")
        message.deleted = True
        return True

    def _send_chat_action(self, params: dict[str, Any]) -> bool:
        self._chat(params).actions.append((params["action"], _thread(params)))
        return True

    def _answer_callback_query(self, params: dict[str, Any]) -> bool:
        press = self.world.presses.get(str(params["callback_query_id"]))
        if press is None or press.answered:
            raise ApiError(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(params.get("text") or "") > 200:
            raise ApiError(400, "Bad Request: MESSAGE_TOO_LONG")
        press.answered, press.alert = True, params.get("text")
        return True

    def _find(self, chat: Chat, number: Any) -> ChatMessage | None:
        return next((m for m in chat.messages if number is not None and m.id == int(number)), None)


def _scope(params: dict[str, Any]) -> str:
    return str((params.get("scope") or {}).get("type", "default"))


def _thread(params: dict[str, Any]) -> int | None:
    thread = params.get("message_thread_id")
    return int(thread) if thread is not None else None
