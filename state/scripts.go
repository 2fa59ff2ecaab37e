package state

import (
	"embed"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// Each script's file documents its ARGV and its reply; common.lua documents the KEYS.
var (
	submitScript  = jobScript("submit")
	startScript   = jobScript("start")
	claimScript   = jobScript("claim")
	renewScript   = jobScript("renew")
	commitScript  = jobScript("commit")
	failScript    = jobScript("fail")
	loseScript    = jobScript("lose")
	sweepScript   = jobScript("sweep")
	stopScript    = jobScript("stop")
	finishScript  = jobScript("finish")
	forgetScript  = jobScript("forget")
	backupScript  = jobScript("backup")
	keepScript    = jobScript("keep")
	discardScript = jobScript("discard")
	retryScript   = jobScript("retry")
	redoScript    = jobScript("redo")
	eraseScript   = jobScript("erase")
	noteScript    = jobScript("note")
	boundsScript  = jobScript("bounds")
	fitScript     = newScript("fit", luaFile("fit"))
	turnScript    = newScript("turn", luaFile("turn"))
	admitScript   = newScript("admit", luaFile("admit"))

	// lockOutputScript locks an output unless it is locked. KEYS: outputs. ARGV: output, job.
	// Returns the holder.
	lockOutputScript = newScript("lock output", `
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])`)

	// unlockOutputScript releases the lock if the job still holds it. KEYS: outputs. ARGV: output,
	// job.
	unlockOutputScript = newScript("unlock output", `
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0`)

	// releaseScript deletes a lock if we still hold it. KEYS: lock. ARGV: our token.
	releaseScript = newScript("release", `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

	// holdScript takes a lock, or extends it if we hold it. KEYS: lock. ARGV: our token, how long
	// to hold it (ms). Returns the holder.
	holdScript = newScript("hold", `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`)
)

// jobScript returns a script over the keys of a job.
func jobScript(name string) *script { return newScript(name, luaFile("common")+luaFile(name)) }

func newScript(name, text string) *script { return &script{Script: redis.NewScript(text), name: name} }

// luaFile returns a file of lua/. A missing file is a defect of the build.
func luaFile(name string) string {
	text, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err)
	}
	return string(text)
}
