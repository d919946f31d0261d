namespace Ramet.Kernel.Terminals;

/// <summary>Canonical mode: editing of the line that is being typed, and its echo.</summary>
public sealed partial class Terminal
{
    /// <summary>Whether the character was one that edits or ends the line.</summary>
    private bool TakeEditing(byte character)
    {
        var settings = Settings;
        bool extended = settings.Has(LocalModes.IEXTEN);
        bool echo = settings.Has(LocalModes.ECHO);
        if (settings.Is(character, ControlCharacter.VERASE) || settings.Is(character, ControlCharacter.VKILL)
            || (extended && settings.Is(character, ControlCharacter.VWERASE)))
        {
            Erase(character);
            return true;
        }

        if (extended && settings.Is(character, ControlCharacter.VLNEXT))
        {
            _literalNext = true;
            if (!echo) return true;
            FinishErasing();
            if (settings.Has(LocalModes.ECHOCTL)) Echo("^\b"u8);
            return true;
        }

        if (extended && echo && settings.Is(character, ControlCharacter.VREPRINT))
        {
            FinishErasing();
            EchoCharacter(character);
            EchoRaw((byte)'\n');
            for (long i = _lineHead; i < _head; i++) EchoCharacter(_buffer[i % BufferSize]);
            return true;
        }

        if (character == (byte)'\n')
        {
            if (echo || settings.Has(LocalModes.ECHONL)) EchoRaw(character);
            EndLine(character);
            return true;
        }

        if (settings.Is(character, ControlCharacter.VEOF))
        {
            EndLine(0);
            return true;
        }

        if (!settings.Is(character, ControlCharacter.VEOL) && !(extended && settings.Is(character, ControlCharacter.VEOL2))) return false;
        if (echo)
        {
            if (_lineHead == _head) _lineStartColumn = _column;
            EchoCharacter(character);
        }

        EndLine(character);
        return true;
    }

    /// <summary>VERASE takes a character back, VWERASE a word, VKILL the line.</summary>
    private void Erase(byte by)
    {
        if (_head == _lineHead) return;
        var settings = Settings;
        bool echo = settings.Has(LocalModes.ECHO);
        bool one = settings.Is(by, ControlCharacter.VERASE);
        bool word = !one && settings.Has(LocalModes.IEXTEN) && settings.Is(by, ControlCharacter.VWERASE);
        bool visible = settings.Has(LocalModes.ECHOK) && settings.Has(LocalModes.ECHOKE) && settings.Has(LocalModes.ECHOE);
        if (!one && !word && !(echo && visible))
        {
            _head = _lineHead;
            if (!echo) return;
            FinishErasing();
            EchoCharacter(by);
            if (settings.Has(LocalModes.ECHOK)) EchoRaw((byte)'\n');
            return;
        }

        bool inWord = false;
        while (_head > _lineHead)
        {
            long start = _head - 1;
            while (start > _lineHead && IsContinuation(_buffer[start % BufferSize])) start--;
            byte first = _buffer[start % BufferSize];
            if (IsContinuation(first)) break;
            if (word)
            {
                // Letters of Latin-1 count as such, as they do on Linux.
                bool letter = first == (byte)'_' || char.IsAsciiLetterOrDigit((char)first) || (first >= 0xC0 && first != 0xD7 && first != 0xF7);
                if (letter) inWord = true;
                else if (inWord) break;
            }

            long end = _head;
            _head = start;
            if (echo) EchoErased(first, start, end, one);
            if (one) break;
        }

        if (_head == _lineHead && echo) FinishErasing();
    }

    private void EchoErased(byte first, long start, long end, bool one)
    {
        if (Settings.Has(LocalModes.ECHOPRT))
        {
            if (!_erasing) EchoRaw((byte)'\\');
            _erasing = true;
            EchoCharacter(first);
            for (long i = start + 1; i < end; i++) EchoRaw(_buffer[i % BufferSize]);
        }
        else if (one && !Settings.Has(LocalModes.ECHOE))
        {
            EchoCharacter(Settings[ControlCharacter.VERASE]);
        }
        else if (first == (byte)'\t')
        {
            EchoErasedTab(start);
        }
        else
        {
            bool control = IsControl(first);
            bool caret = Settings.Has(LocalModes.ECHOCTL);
            for (int i = control ? caret ? 2 : 0 : 1; i > 0; i--)
            {
                Echo("\b \b"u8);
                if (_column > 0) _column--;
            }
        }
    }

    /// <summary>As many columns back as the tab was wide.</summary>
    private void EchoErasedTab(long start)
    {
        int columns = 0;
        bool afterTab = false;
        for (long i = start; i > _lineHead && !afterTab;)
        {
            byte character = _buffer[--i % BufferSize];
            if (character == (byte)'\t') afterTab = true;
            else if (IsControl(character)) columns += Settings.Has(LocalModes.ECHOCTL) ? 2 : 0;
            else if (!IsContinuation(character)) columns++;
        }

        if (!afterTab) columns += _lineStartColumn;
        for (int i = TabWidth - (columns & (TabWidth - 1)); i > 0; i--)
        {
            Echo("\b"u8);
            if (_column > 0) _column--;
        }
    }

    private void FinishErasing()
    {
        if (!_erasing) return;
        EchoRaw((byte)'/');
        _erasing = false;
    }
}
