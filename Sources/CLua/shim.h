// Lua 5.1, in which Redis runs its scripts, as Swift sees it.
#ifndef SELLOUT_CLUA_H
#define SELLOUT_CLUA_H
#include <lua5.1/lauxlib.h>
#include <lua5.1/lua.h>
#include <lua5.1/lualib.h>
#include <stdio.h>

// Macros, which Swift does not import.
static inline void sellout_lua_pop(lua_State *lua, int count) { lua_settop(lua, -count - 1); }
static inline int sellout_lua_globals_index(void) { return LUA_GLOBALSINDEX; }
static inline int sellout_lua_registry_index(void) { return LUA_REGISTRYINDEX; }

// `snprintf` is variadic. A number with all digits that tell it apart; returns how many characters it wrote.
static inline int sellout_lua_format_number(char *buffer, size_t size, double number) {
    return snprintf(buffer, size, "%.17g", number);
}

// A function that Swift gives to Lua. It leaves its results on the stack and returns how many they are, or one of the
// codes below for an error whose value it left on top.
//
// Raising an error is a longjmp, which must not pass over a Swift frame: so this trampoline raises, after Swift returned.
// (What may still raise inside Swift is running out of memory, after which nothing is to be saved.)
typedef int (*sellout_lua_function)(void *context, lua_State *lua, int selector);
enum {
    SELLOUT_LUA_RAISE = -1,          // raise the value on top as it is
    SELLOUT_LUA_RAISE_AT = -2,       // raise the text on top, the place of the caller before it
    SELLOUT_LUA_BAD_ARGUMENT = -100, // minus n: argument n is bad, the text on top says why
};

static inline int sellout_lua_trampoline(lua_State *lua) {
    sellout_lua_function function = (sellout_lua_function)lua_touserdata(lua, lua_upvalueindex(1));
    int count = function(lua_touserdata(lua, lua_upvalueindex(2)), lua, (int)lua_tointeger(lua, lua_upvalueindex(3)));
    if (count >= 0) return count;
    if (count == SELLOUT_LUA_RAISE) return lua_error(lua);
    if (count == SELLOUT_LUA_RAISE_AT) {
        luaL_where(lua, 1);
        lua_insert(lua, -2);
        lua_concat(lua, 2);
        return lua_error(lua);
    }
    return luaL_argerror(lua, SELLOUT_LUA_BAD_ARGUMENT - count, lua_tostring(lua, -1));
}

// Pushes a Lua function that calls `function` with `context` and `selector`.
static inline void sellout_lua_push_function(
    lua_State *lua, sellout_lua_function function, void *context, int selector) {
    lua_pushlightuserdata(lua, (void *)function);
    lua_pushlightuserdata(lua, context);
    lua_pushinteger(lua, selector);
    lua_pushcclosure(lua, sellout_lua_trampoline, 3);
}

// What Redis puts around a script, in C as it must raise or look at the stack.

static inline int sellout_lua_missing_global(lua_State *lua) {
    return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'", luaL_checkstring(lua, 2));
}

static inline int sellout_lua_readonly_table(lua_State *lua) {
    return luaL_error(lua, "Attempt to modify a readonly table");
}

// Makes a table of whatever was raised: its text as `err`, and the line of the script that raised it.
static inline int sellout_lua_error_handler(lua_State *lua) {
    lua_settop(lua, 1);
    if (!lua_istable(lua, 1)) {
        const char *text = lua_tostring(lua, 1);
        if (!text) text = lua_isnil(lua, 1) ? "nil" : luaL_typename(lua, 1);
        lua_newtable(lua);
        lua_pushfstring(lua, "ERR %s", text);
        lua_setfield(lua, 2, "err");
        lua_remove(lua, 1);
    }
    lua_Debug place;
    int known = lua_getstack(lua, 1, &place) && lua_getinfo(lua, "Sl", &place);
    if (known && *place.what == 'C') known = lua_getstack(lua, 2, &place) && lua_getinfo(lua, "Sl", &place);
    if (known) {
        lua_pushstring(lua, place.source);
        lua_setfield(lua, 1, "source");
        lua_pushinteger(lua, place.currentline);
        lua_setfield(lua, 1, "line");
    }
    return 1;
}

// Lua's `pcall`, but for one thing: of an error that is a table it hands on the text.
static inline int sellout_lua_pcall(lua_State *lua) {
    luaL_checkany(lua, 1);
    int failed = lua_pcall(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0);
    if (failed && lua_istable(lua, -1)) {
        lua_getfield(lua, -1, "err");
        if (lua_isstring(lua, -1)) {
            lua_replace(lua, -2);
        } else {
            lua_settop(lua, -2);
        }
    }
    lua_pushboolean(lua, !failed);
    lua_insert(lua, 1);
    return lua_gettop(lua);
}

static inline void sellout_lua_push_missing_global(lua_State *lua) {
    lua_pushcclosure(lua, sellout_lua_missing_global, 0);
}
static inline void sellout_lua_push_readonly_table(lua_State *lua) {
    lua_pushcclosure(lua, sellout_lua_readonly_table, 0);
}
static inline void sellout_lua_push_error_handler(lua_State *lua) {
    lua_pushcclosure(lua, sellout_lua_error_handler, 0);
}
static inline void sellout_lua_push_pcall(lua_State *lua) { lua_pushcclosure(lua, sellout_lua_pcall, 0); }
#endif
